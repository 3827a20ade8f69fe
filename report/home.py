"""Write the repository's public address wherever it is needed, once it has one (`make home`).

Badges in README.md; in each notebook a cell that prepares Colab; the links of CITATION.cff and of
pyproject.toml, from which the site takes its own.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat

from helpers import files

ROOT = Path(__file__).resolve().parents[1]
BRANCH, WORKFLOW = "main", "ci.yml"
START, END = "<!-- badges:start -->", "<!-- badges:end -->"
REPOSITORY = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*/[\w.-]*[\w-](?<!\.git)", re.ASCII)


def code_url(repository):
    """Return the address of the repository."""
    return f"https://github.com/{repository}"


def site_url(repository):
    """Return the address at which GitHub publishes its site."""
    owner, name = repository.split("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def replace_once(pattern, new, text, file):
    """Put `new` for the one match of the pattern; ValueError if there are more or none."""
    if (count := len(re.findall(pattern, text))) != 1:
        raise ValueError(f"{file} matches {pattern!r} {count} times; expected once")
    return re.sub(pattern, lambda _: new, text)


def badge(label, picture, target):
    """Write a picture that links to a page."""
    return f"[![{label}]({picture})]({target})"


def with_badges(readme, repository):
    """Return the README with badges between its two markers."""
    runs = f"{code_url(repository)}/actions/workflows/{WORKFLOW}"
    binder = f"https://mybinder.org/v2/gh/{repository}/{BRANCH}?urlpath=lab/tree/notebooks"
    colab = "https://colab.research.google.com"
    first = f"{colab}/github/{repository}/blob/{BRANCH}/notebooks/01_data.ipynb"
    lines = [
        START,
        f"[**Read the report**]({site_url(repository)})",
        badge("Tests", f"{runs}/badge.svg?branch={BRANCH}", runs),
        badge("Open in Binder", "https://mybinder.org/badge_logo.svg", binder),
        badge("Open in Colab", f"{colab}/assets/colab-badge.svg", first),
        END,
    ]
    return replace_once(f"(?s){START}.*?{END}", "\n".join(lines), readme, "README.md")


def with_links(citation, repository):
    """Return the citation file with the addresses of code and site after its licence."""
    bare = re.sub(r"(?m)^(?:repository-code|url): .*\n", "", citation)
    links = f"repository-code: {code_url(repository)}\nurl: {site_url(repository)}\n"
    return replace_once(r"(?m)^license: MIT\n", f"license: MIT\n{links}", bare, "CITATION.cff")


def with_urls(project, repository):
    """Return pyproject.toml with both addresses; the built site reads them from the package."""
    bare = re.sub(r"(?m)^\[project\.urls\]\n(?:.+\n)*\n", "", project)
    urls = f'Homepage = "{site_url(repository)}"\nRepository = "{code_url(repository)}"\n'
    after = "[project.optional-dependencies]\n"
    new = f"[project.urls]\n{urls}\n{after}"
    return replace_once(f"(?m)^{re.escape(after)}", new, bare, "pyproject.toml")


def colab_setup(repository):
    """Write the cell that fetches everything else when Colab opens a notebook alone."""
    return f"""\
import sys

if "google.colab" in sys.modules:  # true on Colab alone
    !git clone --quiet --depth 1 {code_url(repository)} study
    %pip install --quiet --editable ./study
    sys.path.insert(0, "study")  # Python looks for editable installs only when it starts"""


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def after_parameters(cells):
    """Return the place after the cell tagged parameters; ValueError if there is none."""
    for place, cell in enumerate(cells, 1):
        if "parameters" in tags(cell):
            return place
    raise ValueError("a notebook has no cell tagged parameters")


def count_on(cells):
    """Raise the execution counts by one, as if a cell had run before these."""
    for counted in [*cells, *(output for cell in cells for output in cell.get("outputs", []))]:
        if counted.get("execution_count"):
            counted.execution_count += 1


def with_setup(notebook, repository):
    """Return the text of a notebook whose second code cell prepares Colab, unseen on the site."""
    notebook = nbformat.reads(notebook, as_version=4)
    cells = [cell for cell in notebook.cells if "colab" not in tags(cell)]
    place = after_parameters(cells)
    count = cells[place - 1].execution_count
    setup = nbformat.v4.new_code_cell(
        colab_setup(repository),
        id=f"{cells[0].id.partition('-')[0]}-colab",
        execution_count=count and count + 1,
        metadata={"tags": ["colab", "remove-cell"]},
    )
    if len(cells) == len(notebook.cells):
        count_on(cells[place:])
    notebook.cells = [*cells[:place], setup, *cells[place:]]
    return nbformat.writes(notebook) + "\n"


def write(repository, root=ROOT):
    """Write the address owner/name into all files under `root`, or into none of them."""
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(f"REPOSITORY is {repository!r}; expected owner/name, as on GitHub")
    edits = {"README.md": with_badges, "CITATION.cff": with_links, "pyproject.toml": with_urls}
    edits = {root / name: edit for name, edit in edits.items()}
    edits |= dict.fromkeys(sorted((root / "notebooks").glob("[0-9]*.ipynb")), with_setup)
    texts = {path: edit(path.read_text(), repository) for path, edit in edits.items()}
    for path, text in texts.items():
        files.write(path, text.encode())


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", help="owner/name on GitHub")
    repository = parser.parse_args().repository
    try:
        write(repository)
    except (ValueError, OSError) as error:
        sys.exit(f"FAILED: {error}")
    print(f"README.md, CITATION.cff, pyproject.toml and the notebooks name {code_url(repository)}")
    print("To publish the site: there, Settings > Pages > Source > GitHub Actions, then push main.")


if __name__ == "__main__":
    main()
