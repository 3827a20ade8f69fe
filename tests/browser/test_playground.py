"""The page Which first?: a reader trains, prunes, clicks, rewinds, and hands on a link."""

import json
import re

import pytest
from built import HTML, PATIENCE
from playwright.sync_api import expect
from test_pages import PICTURES, RULES, photograph, violations

PAGE = "which_first.html"
SMALL = f"{PAGE}?hidden=9-8&steps=60"
PIXELS = """canvas => canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data.join()"""
SHARE = re.compile(r"\d\.\d\d")


class Playground:
    """What a reader sees of the playground, and does with it."""

    def __init__(self, page):
        self.page = page
        self.root = page.locator("#playground")
        self.bar = self.root.get_by_role("region", name="Training")
        self.messages = self.root.locator(".messages p")
        self.chosen = self.root.locator(".chosen")
        self.verdict = self.bar.get_by_role("status")
        self.gap, self.floor = self.bar.locator("strong").all()
        self.train = self.bar.get_by_role("button", name=re.compile("Train|Pause"))
        self.rewind = self.bar.get_by_role("button", name="Rewind")
        self.criterion = self.root.get_by_label("Criterion")

    def layer(self, name):
        return self.root.get_by_role("toolbar", name=f"Nodes of the {name} layer")

    def at_step(self, step, patience=PATIENCE):
        """Wait until a step is reached and B has caught up."""
        expect(self.bar.get_by_text(f"step {step} of")).to_be_visible(timeout=patience)
        expect(self.floor).to_have_text(SHARE, timeout=patience)
        expect(self.verdict).not_to_contain_text("catches up", timeout=patience)

    def run(self, patience=PATIENCE):
        """Train to the end."""
        self.train.click()
        expect(self.train).to_have_text("Train again", timeout=patience)

    def maps(self):
        """The pixels of all maps."""
        return [canvas.evaluate(PIXELS) for canvas in self.root.locator("canvas.map").all()]

    def seen(self):
        """Everything that a link has to bring back."""
        removed = [layer.locator("[aria-pressed=true]").count()
                   for layer in self.root.get_by_role("toolbar").all()]
        return [self.maps(), self.gap.inner_text(), self.floor.inner_text(), removed,
                self.chosen.inner_text(), self.criterion.input_value()]


@pytest.fixture
def playground(visit):
    """A function: open the page at an address and wait for its first picture."""
    def open_at(name=PAGE, step=0, **how):
        shown = Playground(visit(name, **how))
        shown.at_step(step)
        return shown

    return open_at


def test_untrained_both_orders_are_one_network(playground):
    shown = playground()
    expect(shown.verdict).to_have_text("Untrained: both orders are the same network.")
    expect(shown.gap).to_have_text("0.00")
    expect(shown.chosen).to_have_text("25 of 50 and 25 of 50 nodes removed: at random.")
    _, a, _, b, difference = shown.maps()
    assert a == b and len(set(difference.split(","))) == 2  # one colour, opaque


def test_both_headline_findings_are_seen_within_30_seconds(playground):
    shown = playground()
    shown.page.set_default_timeout(30_000)
    shown.run(patience=30_000)
    shown.at_step(1500, patience=20_000)
    expect(shown.verdict).to_contain_text("they do not commute here")
    gap, floor = (float(number.inner_text()) for number in (shown.gap, shown.floor))
    assert gap > 2 * floor > 0
    scatter = shown.root.locator("canvas.scatter")
    coasted = re.search(r"coasted ([\d.]+)", scatter.get_attribute("aria-label"))
    assert float(coasted[1]) > 1
    shown.criterion.select_option("std")
    expect(shown.chosen).to_contain_text("lowest std in the network trained to step 1500")
    shown.at_step(1500, patience=20_000)
    assert float(shown.gap.inner_text()) < 2 * float(shown.floor.inner_text()) < gap


def test_pause_and_step(playground):
    shown = playground(f"{PAGE}?hidden=9-8&steps=5000")
    shown.train.click()
    expect(shown.train).to_have_text("Pause")
    expect(shown.bar.get_by_text("frames/s")).to_be_visible()
    shown.train.click()
    expect(shown.train).to_have_text("Train")
    place = shown.bar.get_by_text(re.compile(r"step \d+ of 5000"))
    before = int(re.search(r"\d+", place.inner_text())[0])
    assert 0 < before < 5000
    shown.bar.get_by_role("button", name="Step").click()
    after = shown.bar.get_by_text(f"step {before + 1} of 5000")
    expect(after).to_be_visible()


def test_rewinding_leads_back_to_the_same_initialisation(playground):
    shown = playground(SMALL)
    before = shown.seen()
    shown.run()
    shown.at_step(60)
    trained = shown.seen()
    assert trained != before
    shown.rewind.click()
    shown.at_step(0)
    assert shown.seen() == before
    shown.run()
    shown.at_step(60)
    assert shown.seen() == trained


def test_a_node_that_is_clicked_goes_and_comes_back(playground):
    shown = playground(f"{SMALL}&fraction=0&step=60", step=60)
    expect(shown.gap).to_have_text("0.00")
    before = shown.maps()
    second = shown.layer("second")
    node = second.get_by_role("button", name=re.compile("^Node 3"))
    node.click()
    expect(shown.chosen).to_have_text("0 of 9 and 1 of 8 nodes removed: by hand.")
    expect(node).to_have_attribute("aria-pressed", "true")
    node.click()
    expect(shown.chosen).to_contain_text("0 of 9 and 0 of 8")
    shown.at_step(60)
    assert shown.maps() == before


def test_what_is_to_be_removed_survives_another_seed(playground):
    shown = playground(SMALL)
    shown.criterion.select_option("magnitude")
    shown.root.get_by_label("first layer", exact=True).uncheck()
    seed = shown.root.get_by_role("textbox", name="Seed", exact=True)
    seed.fill("3")
    seed.press("Enter")
    expect(shown.page).to_have_url(re.compile("seed=3.*criterion=magnitude.*layers=1"))
    expect(shown.criterion).to_have_value("magnitude")
    expect(shown.chosen).to_have_text(
        "0 of 9 and 4 of 8 nodes removed: lowest magnitude in the untrained network.")


def test_what_takes_long_is_announced(playground):
    shown = playground(f"{PAGE}?hidden=200-200&steps=60")
    shown.criterion.select_option("oracle")
    expect(shown.verdict).to_have_text("Computing …")
    expect(shown.chosen).to_contain_text("lowest oracle")
    expect(shown.verdict).to_contain_text("Untrained")


def test_single_steps_add_up(playground):
    shown = playground(SMALL)
    for _ in range(6):
        shown.bar.get_by_role("button", name="Step").click()
    shown.at_step(6)


def test_the_last_node_of_a_layer_stays(playground):
    shown = playground(f"{PAGE}?hidden=2&fraction=0.5&layers=0")
    shown.layer("first").locator("[aria-pressed=false]").click()
    expect(shown.messages).to_have_text(["At least one node of each layer has to stay."])
    expect(shown.layer("first").locator("[aria-pressed=true]")).to_have_count(1)
    shown.bar.get_by_role("button", name="Step").click()
    expect(shown.messages).to_have_count(0)


def test_everything_can_be_done_by_keyboard(playground):
    shown = playground(SMALL)
    keys = shown.page.keyboard
    shown.train.focus()
    keys.press("Enter")
    expect(shown.train).to_have_text("Train again")
    for name in ("Step", "Rewind"):
        keys.press("Tab")
        expect(shown.bar.get_by_role("button", name=name)).to_be_focused()
    keys.press("Tab")
    expect(shown.criterion).to_be_focused()
    keys.type("std")
    expect(shown.chosen).to_contain_text("lowest std in the network trained to step 60")
    first = shown.layer("first")
    first.locator("[tabindex='0']").focus()
    keys.press("End")
    keys.press("ArrowLeft")
    node = first.get_by_role("button", name=re.compile("^Node 7"))
    expect(node).to_be_focused()
    before = node.get_attribute("aria-pressed")
    keys.press("Space")
    expect(node).not_to_have_attribute("aria-pressed", before)
    expect(shown.chosen).to_contain_text("by hand")


@pytest.mark.parametrize("change", [
    {"Criterion": "oracle", "Compensation": "linear"},
    {"Criterion": "covariance_greedy", "Compensation": "none"}])
def test_a_link_and_a_reload_show_what_the_sender_saw(playground, change):
    sender = playground(SMALL)
    sender.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sender.run()
    for name, value in {**change, "Weights shown": "weights"}.items():
        sender.root.get_by_label(name).select_option(value)
    sender.layer("first").get_by_role("button", name=re.compile("^Node 4")).click()
    expect(sender.chosen).to_contain_text("by hand")
    sender.at_step(60)
    sender.root.get_by_role("button", name="Copy link").click()
    expect(sender.root.get_by_text("Copied: it shows what you see now.")).to_be_visible()
    link = sender.page.evaluate("navigator.clipboard.readText()")
    assert "step=60" in link and "kept=" in link
    seen = sender.seen()
    receiver = playground(link.split("/")[-1], step=60)
    expect(receiver.root.get_by_label("Weights shown")).to_have_value("weights")
    assert receiver.seen() == seen
    sender.page.reload()
    sender.at_step(60)
    assert sender.seen() == seen


@pytest.mark.parametrize("name, text", [
    ("Problem", "moons"), ("Noise", "0.3"), ("Data seed", "5"), ("Hidden widths", "7-6-5"),
    ("Seed", "9"), ("Optimiser", "sgd"), ("Learning rate", "0.01"), ("Batch size", "7"),
    ("Steps", "40")])
def test_every_setting_is_applied_and_kept_in_the_address(playground, name, text):
    shown = playground(SMALL)
    form = shown.root.get_by_role("group", name="Problem, network")
    control = form.get_by_role("combobox", name=name).or_(
        form.get_by_role("textbox", name=name, exact=True))
    if control.evaluate("e => e.tagName") == "SELECT":
        control.select_option(text)
    else:
        control.fill(text)
        control.press("Enter")
    steps = 40 if name == "Steps" else 60
    shown.run()
    shown.at_step(steps)
    expect(shown.page).to_have_url(re.compile(
        rf"[?&]{name.lower().replace(' ', '_').replace('_widths', '')}={text}.*step={steps}"))
    maps = shown.maps()
    shown.page.reload()
    shown.at_step(steps)
    expect(control).to_have_value(text)
    assert shown.maps() == maps


BAD = [
    ("hidden=9999", "hidden is “9999”; expected 1 to 3 widths from 1 to 200"),
    ("hidden=", "hidden is “”; expected"), ("seed=-1", "seed is “-1”; expected"),
    ("problem=digits", "problem is “digits”; expected one of spirals, moons, circles, xor"),
    ("learning_rate=fast", "learning_rate is “fast”; expected a number above 0"),
    ("kept=zz.1", "kept is “zz.1”; expected"), ("step=1e9", "step is “1e9”; expected"),
    ("%E0%A4%A=1&&==", "is not a key"), ("<b>=1", "“<b>” is not a key"),
    ("preset=none", "preset is “none”; expected one of random-half")]


@pytest.mark.parametrize("query, message", BAD)
def test_a_mangled_address_is_named_and_the_defaults_stand(playground, query, message):
    shown = playground(f"{PAGE}?{query}")
    expect(shown.messages).to_contain_text([message])
    expect(shown.root.get_by_label("Hidden widths")).to_have_value("50-50")
    shown.bar.get_by_role("button", name="Step").click()
    expect(shown.bar.get_by_text("step 1 of 1500")).to_be_visible()


def test_a_bad_entry_in_the_form_is_named_and_nothing_changes(playground):
    shown = playground(SMALL)
    control = shown.root.get_by_label("Hidden widths")
    control.fill("50-5000")
    control.press("Enter")
    expect(shown.root.get_by_role("alert")).to_contain_text("Hidden widths: expected 1 to 3")
    expect(shown.layer("first").get_by_role("button")).to_have_count(9)


def presets_of(page):
    """The presets that a page carries, by name."""
    return {block.get_attribute("data-name"): json.loads(block.text_content())
            for block in page.locator("script.playground-preset").all()}


def test_presets_are_the_networks_of_the_report(playground):
    shown = playground()
    for name, given in presets_of(shown.page).items():
        item = shown.root.get_by_role("listitem").filter(
            has=shown.page.get_by_role("button", name=given["title"], exact=True))
        item.get_by_role("button").click()
        shown.at_step(1500)
        expect(shown.page).to_have_url(re.compile(f"preset={name}"))
        stated = int(re.search(r"differs on (\d+)\s%", item.inner_text())[1])
        near = "|".join(f"{share / 100:.2f}" for share in range(stated - 1, stated + 2))
        expect(shown.gap).to_have_text(re.compile(near))  # PyTorch's, but for rounding
    shown.page.reload()
    shown.at_step(1500)
    seen = shown.seen()
    shown.page.reload()
    shown.at_step(1500)
    assert shown.seen() == seen


def test_a_preset_trained_anew_is_a_network_of_this_browser(playground):
    shown = playground(f"{PAGE}?preset=moons", step=1500)
    shown.rewind.click()
    expect(shown.verdict).to_contain_text("Untrained")
    expect(shown.page).not_to_have_url(re.compile("preset"))
    expect(shown.page).to_have_url(re.compile("problem=moons"))


@pytest.mark.parametrize("spoil", [
    lambda text: text.replace('"format": 1', '"format": 7'),
    lambda text: text.replace('"weights": ["', '"weights": ["AAAA'),
    lambda text: text.replace('{"format"', '{"format', 1)])
def test_a_corrupted_preset_is_named_and_the_others_stay(visit, spoil):
    whole = (HTML / PAGE).read_text()
    blocks = re.findall(r"<script[^>]*playground-preset.*?</script>", whole, re.DOTALL)
    spoiled = whole.replace(blocks[0], spoil(blocks[0]))
    assert spoiled != whole
    page = visit("glossary.html")
    page.wait_for_load_state("networkidle")  # or it complains of what it no longer gets
    page.route("**/" + PAGE, lambda route: route.fulfill(body=spoiled, content_type="text/html"))
    page.goto(page.url.replace("glossary.html", PAGE))
    shown = Playground(page)
    expect(shown.messages).to_contain_text(["The preset random-half cannot be read"])
    expect(shown.root.locator(".presets").get_by_role("listitem")).to_have_count(len(blocks) - 1)
    shown.at_step(0)


def test_a_page_opened_as_a_file_computes_by_itself(visit):
    shown = Playground(visit(SMALL, root=HTML.as_uri() + "/"))
    shown.at_step(0)
    shown.run()
    shown.at_step(60)
    assert float(shown.floor.inner_text()) > 0
    expect(shown.page).to_have_url(re.compile("step=60"))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_after_training_the_page_is_accessible_and_fits(playground, width, theme):
    shown = playground(f"{PAGE}?step=1500", step=1500, width=width, theme=theme)
    page = shown.page
    assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    assert violations(page, RULES) == []
    photograph(page, PICTURES / f"which_first-trained-{width}-{theme}.jpg")
