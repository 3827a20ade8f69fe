// The way to the service: a Worker, or the main thread where a page may have none.

import { Service } from "./service.js";

/** @typedef {import("./service.js").Answer} Answer */
/** @typedef {import("./service.js").Request} Request */

/**
 * Open a service in a Worker; one that does not start is replaced, and nothing sent is lost.
 * `close` ends it.
 * @param {string} address of the Worker's script
 * @param {(answer: Answer) => void} handler
 */
export function connect(address, handler) {
  let post = here(handler);
  /** @type {Request[]} */ const early = []; // sent before the first answer
  const fallBack = () => {
    post = here(handler);
    early.splice(0).forEach(post);
  };
  const worker = started(address);
  if (worker) {
    post = (request) => worker.postMessage(request);
    worker.addEventListener("error", fallBack, { once: true });
    worker.addEventListener("message", ({ data }) => {
      worker.removeEventListener("error", fallBack);
      early.length = 0;
      handler(data);
    });
  }
  return {
    send(/** @type {Request} */ request) {
      if (worker) early.push(request);
      post(request);
    },
    close() {
      worker?.terminate();
    },
  };
}

/** @param {(answer: Answer) => void} handler @returns {(request: Request) => void} */
function here(handler) {
  const service = new Service(handler);
  return (request) => service.receive(request);
}

/** @param {string} address */
function started(address) {
  try {
    return new Worker(address);
  } catch {
    return null; // a page opened as a file
  }
}
