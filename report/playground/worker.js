// Entry of the Worker: the service, spoken to by messages.

import { Service } from "./service.js";

const service = new Service((answer) => postMessage(answer));
addEventListener("message", ({ data }) => service.receive(data));
