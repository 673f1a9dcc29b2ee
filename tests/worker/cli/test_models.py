import hashlib
import http.server
import shutil
import threading
from functools import partial

import numpy as np
import pytest
import tifffile
from skimage import data

from db.catalog.recipes import ensure_recipe
from db.queue.intake import register
from db.values import NewScan, NewSighting
from restoration.generators.models import SHIPPED, default_model, installed_models
from worker.exits import Exit
from worker.models.importing import import_from
from worker.settings import load_settings

SHIPPED_NAMES = [card.name for card in installed_models()]
DEFAULT = default_model().name


@pytest.fixture(scope="module")
def installed(model_file, tmp_path_factory):
    """The folder of models after an import, which is done once for all tests."""
    settings = load_settings(home=tmp_path_factory.mktemp("home"))
    import_from(str(model_file), settings)
    return settings.models_path


@pytest.fixture
def imported(settings, installed, model_file):
    """The imported model `mine`."""
    shutil.copytree(installed, settings.models_path)
    return model_file


@pytest.fixture
def address(model_file):
    """The address of the model on a server of this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=model_file.parent))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{model_file.name}"
    server.shutdown()
    thread.join()
    server.server_close()


def names(saek_json):
    return [model["name"] for model in saek_json("models")["models"]]


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("words", [["models"], ["models", "list"]])
def test_shipped_models_are_listed_as_verified_with_one_default(words, saek, saek_json):
    found = saek_json(*words)["models"]
    assert [model["name"] for model in found] == SHIPPED_NAMES
    assert all(model["verified"] and model["shipped"] for model in found)
    assert [model["name"] for model in found if model["default"]] == [DEFAULT]
    assert f"{DEFAULT} (default)" in saek(*words).stdout
    assert f"{DEFAULT} is the default model (comes with Saek)." in saek(*words).stdout


def test_json_goes_after_the_command(saek):
    assert saek("models", "--json", "verify").exit_code == Exit.USAGE


def test_an_imported_model_is_listed_shown_and_verified(imported, saek, saek_json, settings):
    assert names(saek_json) == [*SHIPPED_NAMES, "mine"]
    shown = saek_json("models", "show", "mine")
    assert shown["path"] == str(settings.models_path / "mine.safetensors")
    assert (shown["shipped"], shown["default"], shown["page"]) == (False, False, None)
    assert saek_json("models", "show", "archive-1")["page"] == str(SHIPPED / "archive-1.md")
    assert sha256_of(imported) in saek("models", "show", "mine").stdout
    assert all(one["verified"] for one in saek_json("models", "verify")["models"])


def test_an_import_says_what_to_do_next(saek, model_file):
    said = saek("models", "import", str(model_file)).stdout
    assert sha256_of(model_file) in said
    assert "saek models default mine" in said
    again = saek("models", "import", str(model_file))
    assert again.exit_code == Exit.OK
    assert again.stdout.startswith("Already installed: mine")


def test_a_folder_or_a_file_url_is_taken_too(saek_json, model_file):
    first = saek_json("models", "import", str(model_file.parent))
    again = saek_json("models", "import", model_file.as_uri(), "--sha256", sha256_of(model_file))
    assert (first["new"], again["new"]) == (True, False)
    assert first["model"] == again["model"]


def test_a_model_comes_from_an_address(saek_json, address, model_file):
    told_ = saek_json(
        "models", "import", address, "--sha256", sha256_of(model_file).upper(), "--name", "theirs"
    )
    assert told_["model"]["weights"] == sha256_of(model_file)
    assert names(saek_json) == [*SHIPPED_NAMES, "theirs"]


@pytest.mark.parametrize(
    "words",
    [
        ["https://models.example/a.safetensors"],
        ["file:///a.safetensors"],
        ["a.safetensors", "--sha256", "abc"],
        ["a.safetensors", "--storage", "int4"],
    ],
)
def test_wrong_import_options_are_usage_errors(words, saek):
    assert saek("models", "import", *words).exit_code == Exit.USAGE


def test_the_wrong_file_behind_an_address_is_not_kept(saek, saek_json, address):
    refused = saek("models", "import", address, "--sha256", "0" * 64)
    assert refused.exit_code == Exit.MODEL
    assert address in refused.stderr
    assert names(saek_json) == SHIPPED_NAMES


@pytest.mark.parametrize("end", ["none.safetensors", "mine.pt"])
def test_an_address_with_no_weights_is_refused(end, saek, address):
    refused = saek("models", "import", address.replace("mine.safetensors", end), "--sha256", "0" * 64)
    assert refused.exit_code == Exit.MODEL


@pytest.mark.parametrize("name", ["none.safetensors", "weights.pt", "empty.safetensors", "."])
def test_a_source_that_is_no_model_is_refused_by_its_name(name, saek, tmp_path):
    folder = tmp_path / "from"
    folder.mkdir()
    (folder / "weights.pt").write_bytes(b"\x80\x02}q\x00.")
    refused = saek("models", "import", str(folder / name))
    assert refused.exit_code == Exit.MODEL
    assert str(folder) in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_another_model_of_the_name_is_kept(imported, saek, saek_json, tmp_path):
    other = tmp_path / "mine.safetensors"
    shutil.copy(SHIPPED / "archive-1.safetensors", other)
    shutil.copy(SHIPPED / "archive-1.toml", tmp_path / "mine.toml")
    refused = saek("models", "import", str(other), "--name", "mine")
    assert refused.exit_code == Exit.MODEL
    assert "--name" in refused.stderr
    assert saek_json("models", "show", "mine")["weights"] == sha256_of(imported)


def test_a_training_run_becomes_a_model_only_under_a_name(saek, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best.safetensors").touch()
    assert saek("models", "import", str(tmp_path / "run")).exit_code == Exit.USAGE
    unfinished = saek("models", "import", str(tmp_path / "run"), "--name", "early")
    assert unfinished.exit_code == Exit.INCOMPLETE
    assert "metrics.json" in unfinished.stderr


def test_a_damaged_model_is_repaired_by_importing_it_again(imported, saek, saek_json, settings):
    (settings.models_path / "mine.safetensors").write_bytes(b"damaged")
    listed = saek("models")
    assert listed.exit_code == Exit.MODEL
    assert "damaged" in listed.stdout
    verified = saek_json("models", "verify")["models"]
    assert [one["name"] for one in verified if not one["verified"]] == ["mine"]
    assert verified[-1]["problem"]["code"] == "weights-mismatch"
    assert saek("models", "verify", "archive-1").exit_code == Exit.OK
    assert saek("models", "import", str(imported)).exit_code == Exit.OK
    assert saek("models").exit_code == Exit.OK


def test_a_broken_card_hides_no_other_model_and_can_be_removed(imported, saek, saek_json, settings):
    (settings.models_path / "mine.toml").write_text("name = ")
    assert names(saek_json) == SHIPPED_NAMES
    (broken,) = saek_json("models")["unreadable"]
    assert broken["path"] == str(settings.models_path / "mine.toml")
    assert saek("models").exit_code == Exit.MODEL
    assert saek("models", "remove", "mine").exit_code == Exit.OK
    assert saek("models").exit_code == Exit.OK


def test_a_model_that_a_shipped_one_hides_is_told(imported, saek, saek_json, settings):
    card = (settings.models_path / "mine.toml").read_text().replace('"mine"', '"archive-1"')
    (settings.models_path / "archive-1.toml").write_text(card)
    assert saek_json("models")["hidden"] == [str(settings.models_path / "archive-1.toml")]
    assert "never used" in saek("models").stderr
    assert saek("models", "remove", "archive-1").exit_code == Exit.OK
    assert saek_json("models")["hidden"] == []


def test_the_default_is_told_chosen_and_taken_back(imported, saek, saek_json):
    assert saek_json("models", "default") == {"name": DEFAULT, "source": "shipped"}
    assert "after its next start" in saek("models", "default", "mine").stderr
    assert saek_json("models", "default") == {"name": "mine", "source": "chosen"}
    assert [model["name"] for model in saek_json("models")["models"] if model["default"]] == ["mine"]
    assert saek_json("models", "default", "--shipped") == {"name": DEFAULT, "source": "shipped"}


def test_the_setting_goes_over_the_choice_and_that_is_said(imported, saek, saek_json, monkeypatch):
    monkeypatch.setenv("SAEK_MODEL", "archive-1")
    assert "SAEK_MODEL still names archive-1" in saek("models", "default", "mine").stderr
    assert saek_json("models", "default") == {"name": "archive-1", "source": "setting"}


@pytest.mark.parametrize("words", [["default", "ghost"], ["show", "ghost"], ["verify", "ghost"]])
def test_a_model_that_is_not_there_is_told_with_those_that_are(words, saek):
    refused = saek("models", *words)
    assert refused.exit_code == Exit.MODEL
    assert "archive-1" in refused.stderr


def test_a_default_that_is_gone_is_told_and_can_be_chosen_anew(imported, saek, saek_json, settings):
    saek("models", "default", "mine")
    (settings.models_path / "mine.toml").unlink()
    listed = saek("models")
    assert listed.exit_code == Exit.MODEL
    assert "no default model" in listed.stderr
    assert saek_json("models")["default"] is None
    assert saek("models", "default", "--shipped").exit_code == Exit.OK
    assert saek("models").exit_code == Exit.OK


def test_an_imported_model_can_be_removed(imported, saek, saek_json):
    assert saek_json("models", "remove", "mine")["bytes"] > 5_000_000
    assert names(saek_json) == SHIPPED_NAMES
    assert saek("models", "remove", "mine").exit_code == Exit.MODEL


def test_shipped_and_chosen_models_stay(imported, saek, monkeypatch):
    assert "comes with Saek" in saek("models", "remove", "archive-1").stderr
    saek("models", "default", "mine")
    assert "is the default" in saek("models", "remove", "mine").stderr
    saek("models", "default", "--shipped")
    monkeypatch.setenv("SAEK_MODEL", "mine")
    assert saek("models", "remove", "mine").exit_code == Exit.MODEL


def test_a_model_that_jobs_wait_for_stays(imported, saek, database):
    with database.begin() as s:
        recipe = ensure_recipe(
            s, "e" * 64, {"model": "mine"}, model_name="mine", weights_sha256="0" * 64, card={"name": "mine"}
        )
        register(s, NewSighting("inbox", b"a.tif", "a.tif", "", 10, 1, 1), NewScan("a" * 64, 10), recipe)
    refused = saek("models", "remove", "mine")
    assert refused.exit_code == Exit.MODEL
    assert "needed by 1 unfinished job" in refused.stderr
    saek("cancel", "--all")
    assert saek("models", "remove", "mine").exit_code == Exit.OK


def test_a_copy_can_be_imported_elsewhere(imported, saek, saek_json, tmp_path, monkeypatch):
    made = saek_json("models", "export", "mine", str(tmp_path / "out"))
    assert [path.rpartition("/")[2] for path in made["files"]] == ["mine.safetensors", "mine.toml"]
    monkeypatch.setenv("SAEK_MODELS", str(tmp_path / "elsewhere"))
    again = saek_json("models", "import", made["files"][0], "--sha256", made["weights"])
    assert (again["new"], again["model"]["weights"]) == (True, sha256_of(imported))
    (tmp_path / "out" / "mine.toml").write_text("mine")
    assert saek("models", "export", "mine", str(tmp_path / "out")).exit_code != Exit.OK


def test_restore_takes_an_imported_model(imported, saek_json, saek, tmp_path):
    scan = tmp_path / "scan.tif"
    tifffile.imwrite(scan, data.camera()[:96, :128])
    plan = saek_json("restore", str(scan), "-o", str(tmp_path / "a.tif"), "--model", "mine", "--dry-run")
    assert plan["files"][0]["state"] == "planned"
    made = saek_json(
        "restore", str(scan), "-o", str(tmp_path / "a.tif"), "--model", "mine", "--preset", "fast"
    )
    assert made["recipe"]["weights"] == sha256_of(imported)
    assert made["files"][0]["restoration"]["engine"].endswith("/mine")
    rgb = tifffile.imread(tmp_path / "a.tif")
    assert np.ptp(rgb, axis=2).max() > 0
