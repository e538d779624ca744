"""A new API token is shown in the browser and saved nowhere."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.faults.scripted_rules import RulesLab
from tests.ui.jupyterlab import Notebooks, open_notebook, run_all, save

pytestmark = [pytest.mark.ui, pytest.mark.slow]


def test_a_new_token_is_shown_once_and_never_saved(jupyterlab: Page, notebooks: Notebooks, scripted: RulesLab) -> None:
    scripted.tokens.clear()
    name = notebooks.write("token.ipynb", "import qpi_jupyter", "qpi_jupyter.connect().tokens.create('ci <b>')")
    open_notebook(jupyterlab, name)
    run_all(jupyterlab)
    view = jupyterlab.locator(".qpi-token")
    expect(view.locator("code")).to_have_text("qpi_secret_t1", timeout=30_000)
    expect(view).to_contain_text("ci <b>")
    save(jupyterlab)
    assert "qpi_secret" not in json.dumps(notebooks.read(name))
    # A second view of the same output does not show it again.
    jupyterlab.reload()
    jupyterlab.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    expect(jupyterlab.locator(".qpi-token")).to_contain_text("shown once", timeout=30_000)
    assert jupyterlab.locator(".qpi-token code").count() == 0
