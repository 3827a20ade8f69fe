"""Sphinx settings of the site; report/build.py calls Sphinx on a copy of this folder."""

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

project = "Train first or prune first?"
author = "the Train first or prune first authors"
copyright = f"2026, {author}"
html_title = project

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["computed", "templates"]
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "off"  # report/build.py executes; a failing cell must stop the build
nb_render_markdown_format = "myst"  # maths in computed sentences, too
nb_ipywidgets_js = {}  # no scripts from elsewhere
suppress_warnings = ["mystnb.mime_priority", "mystnb.unknown_mime_type"]

autodoc_member_order = "bysource"
autodoc_mock_imports = ["llvmlite", "numba", "triton"]  # of extras, and of PyTorch for GPUs
autodoc_typehints = "signature"
default_role = "code"  # `x` in a docstring is code
add_module_names = False
bibtex_bibfiles = ["references.bib"]

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_persistent": [],
    "path_to_docs": "",
    "show_toc_level": 2,
    "use_download_button": True,
    "use_fullscreen_button": False,
}

# MathJax as one local file, taken from the pip package that carries it.
package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
shutil.copy(package / "static/mathjax/tex-svg-full.js", Path(__file__).parent / "_static")
mathjax_path = "tex-svg-full.js"

# Links that only a published repository has: `make home` writes the addresses into the package.
about = importlib.metadata.metadata("train-first-prune-first")
urls = dict(url.split(", ") for url in about.get_all("Project-URL", []))
myst_html_meta = {"property=og:title": project, "property=og:description": about["Summary"]}
if urls:
    html_theme_options |= {
        "repository_url": urls["Repository"],
        "repository_branch": "main",
        "use_repository_button": True,
        "launch_buttons": {
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
            "notebook_interface": "jupyterlab",
        },
    }
    myst_html_meta["property=og:image"] = urls["Homepage"] + "_static/social.png"
