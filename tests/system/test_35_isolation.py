"""What an application of brood does not share with the machine: seen from inside it, and afterwards.

Every option of `isolation` as root, those that need no privilege without it as well.
"""

import os
import signal
from pathlib import Path

import pytest

from brood import APPS, free_port, is_alive, python_app, wait_until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOBODY = 65534
OTHERS = 100000  # ids that belong to nobody on the machine


def hierarchy():
    """Where the version 2 hierarchy of control groups is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            return Path(line.split()[4])
    return None


HAS_CGROUPS = pytest.mark.skipif(hierarchy() is None, reason="no hierarchy of cgroup version 2 is mounted")


def serve(brood, isolation=None, **options):
    """Put the application in place; the answer of the control API."""
    brood.port = getattr(brood, "port", None) or free_port()
    app = python_app("isolated", **options)
    if isolation is not None:
        app["isolation"] = isolation
    return brood.put("/config", {
        "listeners": {f"127.0.0.1:{brood.port}": {"pass": "applications/isolated"}},
        "applications": {"isolated": app},
    })


def inside(brood, query=""):
    answer = brood.fetch("/" + query)
    assert answer.status == 200, answer.text
    return answer.json


def look(brood, isolation=None, **options):
    answer = serve(brood, isolation, **options)
    assert answer.status == 200, f"{answer.text}\n{brood.log()[-2000:]}"
    return inside(brood)


def own(what):
    return os.readlink(f"/proc/self/ns/{what}")


@pytest.fixture
def plain_user(make_brood):
    """A daemon that runs as nobody."""
    daemon = make_brood(start=False)
    for path in (daemon.dir, daemon.state_dir):
        path.mkdir(exist_ok=True)
        os.chown(path, NOBODY, NOBODY)
    daemon.prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return daemon.start()


# --- namespaces ---

NAMESPACES = {"cgroup": "cgroup", "ipc": "ipc", "mount": "mnt", "network": "net", "pid": "pid", "time": "time",
              "uname": "uts", "credential": "user"}


@AS_ROOT
@pytest.mark.parametrize("name", NAMESPACES)
def test_each_namespace_is_another_one(brood, name):
    seen = look(brood, {"namespaces": {name: True}})["namespaces"]
    for key in NAMESPACES.values():
        assert (seen[key] != own(key)) == (key == NAMESPACES[name]), key


@AS_ROOT
def test_nothing_is_another_one_by_default(brood):
    seen = look(brood)
    assert seen["namespaces"] == {key: own(key) for key in NAMESPACES.values()}
    assert seen["root"] == sorted(os.listdir("/"))
    assert seen["status"]["NoNewPrivs"] == "0" and seen["status"]["CapEff"].strip("0") == ""


@AS_ROOT
def test_network_pid_and_host_name(brood):
    seen = look(brood, {"namespaces": {"network": True, "pid": True, "mount": True, "uname": True},
                        "hostname": "hatchery"})
    assert seen["interfaces"] == ["lo"] and seen["hostname"] == "hatchery" and seen["pid"] < 10
    assert os.uname().nodename != "hatchery"
    for _ in range(20):
        assert brood.fetch("/", "POST", b"x" * 100000).status == 200  # a body in a file crosses as well


@AS_ROOT
def test_the_first_process_of_a_namespace_buries_the_dead(brood):
    look(brood, {"namespaces": {"pid": True, "mount": True}})
    assert inside(brood, "?orphan=200")["orphan"] == "left"
    wait_until(lambda: inside(brood, "?zombies=x")["zombies"] == [], what="end of the zombies")


@AS_ROOT
def test_a_killed_prototype_takes_its_namespace_along(brood):
    look(brood, {"namespaces": {"pid": True}}, processes=2)
    old = set(brood.workers("isolated"))
    assert len(old) == 2
    os.kill(brood.prototypes("isolated")[0], signal.SIGKILL)
    wait_until(lambda: not any(is_alive(p) for p in old), what="end of the workers")
    wait_until(lambda: brood.fetch().status == 200, what="another prototype")


# --- id maps ---

@AS_ROOT
def test_ids_are_mapped(brood):
    seen = look(brood, {"namespaces": {"credential": True},
                        "uidmap": [{"container": 0, "host": OTHERS, "size": 10},
                                   {"container": NOBODY, "host": NOBODY, "size": 1}],
                        "gidmap": [{"container": NOBODY, "host": NOBODY, "size": 1}]}, user="nobody", group="nogroup")
    assert seen["ids"][:2] == [NOBODY, NOBODY]
    assert seen["uid_map"] == ["0", str(OTHERS), "10", str(NOBODY), str(NOBODY), "1"]


@AS_ROOT
def test_root_inside_is_nobody_outside(brood):
    seen = look(brood, {"namespaces": {"credential": True},
                        "uidmap": [{"container": 0, "host": OTHERS, "size": 1}],
                        "gidmap": [{"container": 0, "host": OTHERS, "size": 1}]}, user="root", group="root")
    assert seen["ids"][:2] == [0, 0]
    worker = brood.workers("isolated")[0]
    assert f"Uid:\t{OTHERS}\t" in Path(f"/proc/{worker}/status").read_text()


@AS_ROOT
def test_a_user_that_the_map_does_not_cover(brood):
    answer = serve(brood, {"namespaces": {"credential": True},
                           "uidmap": [{"container": 0, "host": OTHERS, "size": 1}]}, user="nobody")
    assert answer.status == 500 and "nobody" in answer.json["detail"], answer.text


REFUSED = [
    ({"uidmap": [{"container": 0, "host": 0, "size": 1}]}, "/uidmap", "credential"),
    ({"gidmap": [{"container": 0, "host": 0, "size": 1}]}, "/gidmap", "credential"),
    ({"hostname": "x"}, "/hostname", "uname"),
    ({"namespaces": {"credential": True}, "uidmap": [{"container": 0, "host": 0}]}, "/uidmap/0", "size"),
    ({"namespaces": {"pids": True}}, "/namespaces/pids", "pid"),
    ({"rootfs": "relative"}, "/rootfs", "absolute"),
    ({"rootfs": "//./"}, "/rootfs", "root"),
    ({"automount": {}}, "/automount", "rootfs"),
    ({"cgroup": {}}, "/cgroup", "path"),
    ({"cgroup": {"path": "a/../b"}}, "/cgroup/path", ".."),
    ({"cgroup": {"path": "/"}}, "/cgroup/path", "group"),
    ({"cgroup": {"path": ""}}, "/cgroup/path", "group"),
    ({"rlimits": {"files": 1}}, "/rlimits/files", "files"),
    ({"rlimits": {"nofile": {"soft": 1}}}, "/rlimits/nofile", "hard"),
    ({"nice": 20}, "/nice", "19"),
    ({"affinity": ["0"]}, "/affinity/0", "integer"),
    ({"capabilities": ["net_bind"]}, "/capabilities/0", "net_bind"),
    ({"binds": [{"target": "/x"}]}, "/binds/0", "source"),
    ({"binds": [{"source": "x"}]}, "/binds/0/source", "absolute"),
    ({"paths": {"hide_state": True, "read": ["/"]}}, "/paths/hide_state", "reach"),
]


def test_what_is_refused_before_anything_starts(brood):
    for isolation, path, word in REFUSED:
        answer = serve(brood, isolation)
        assert answer.status == 400 and word in answer.json["detail"], (isolation, answer.text)
        assert answer.json["path"] == "/applications/isolated/isolation" + path, (isolation, answer.text)


# --- root and mounts ---

@AS_ROOT
def test_a_new_root_out_of_an_empty_directory(brood, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    before = Path("/proc/self/mountinfo").read_text()
    seen = look(brood, {"rootfs": str(root), "binds": [{"source": str(APPS), "target": "/srv/apps"}]},
                path="/srv/apps", working_directory="/srv")
    assert {"lib", "usr", "srv", "proc", "tmp", "dev"} <= set(seen["root"]) and "home" not in seen["root"]
    assert inside(brood, "?write=/tmp/x&write=/x&read=/etc/passwd")["read"] == "errno 2"
    assert inside(brood, "?write=/srv/apps/x")["write"] == "errno 30"
    assert inside(brood, "?write=/usr/lib/x")["write"] == "errno 30"
    assert os.listdir(root) == [], "something was written into rootfs"
    assert Path("/proc/self/mountinfo").read_text() == before


@AS_ROOT
def test_a_root_with_its_own_files_and_links(brood, tmp_path):
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "motto").write_text("small and warm")
    (root / "usr").mkdir()
    (root / "lib").symlink_to("/usr/lib")  # leads to where the application sees it
    seen = look(brood, {"rootfs": str(root), "binds": [{"source": str(APPS)}]})
    assert "etc" in seen["root"] and inside(brood, "?read=/etc/motto")["read"] == "small and warm"
    assert sorted(os.listdir(root)) == ["etc", "lib", "usr"] and os.listdir(root / "usr") == []


@AS_ROOT
def test_automounts_can_be_left_out(brood, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    binds = [{"source": str(APPS)}, {"source": "/usr"}, {"source": "/lib"}, {"source": "/lib64"}]
    answer = serve(brood, {"rootfs": str(root), "automount": {"language_deps": False}})
    assert answer.status == 500 and "home" in answer.json["detail"], answer.text
    answer = serve(brood, {"rootfs": str(root), "binds": binds,
                           "automount": {"language_deps": False, "procfs": False, "tmpfs": False}})
    assert answer.status == 200, answer.text
    assert inside(brood, "?read=/proc/self/stat")["read"] == "errno 2"
    assert inside(brood, "?write=/tmp/x")["write"] in ("errno 2", "errno 13")  # the latter when our modules lie below /tmp


@AS_ROOT
def test_read_only_and_a_private_tmp(brood, tmp_path):
    os.chmod(tmp_path, 0o777)
    marker = Path(f"/tmp/brood-isolation-{os.getpid()}")
    marker.touch()
    try:
        look(brood, {"read_only": True, "private_tmp": True,
                     "binds": [{"source": str(APPS), "target": "/tmp/apps"},
                               {"source": str(tmp_path), "target": "/tmp/mine", "writable": True}]}, path="/tmp/apps")
        assert inside(brood, f"?read={marker}")["read"] == "errno 2"
        assert inside(brood, "?write=/var/tmp/x")["write"] == "errno 30"
        assert inside(brood, "?write=/tmp/x")["write"] == "written"
        assert inside(brood, "?write=/tmp/mine/x")["write"] == "written"
        assert inside(brood, "?write=/tmp/apps/x")["write"] == "errno 30"
    finally:
        marker.unlink()


@AS_ROOT
def test_a_root_that_is_not_there(brood):
    answer = serve(brood, {"rootfs": "/nowhere/at/all"})
    assert answer.status == 500 and "/nowhere/at/all" in answer.json["detail"]


# --- control groups ---

@AS_ROOT
@HAS_CGROUPS
def test_a_control_group_is_made_entered_and_removed(brood):
    group = f"brood-test-{os.getpid()}"
    seen = look(brood, {"cgroup": {"path": f"{group}/isolated"}}, processes=2)
    assert f"/{group}/isolated\n" in seen["cgroup"]
    path = hierarchy() / group / "isolated"
    inhabitants = set(map(int, (path / "cgroup.procs").read_text().split()))
    assert inhabitants == set(brood.workers("isolated") + brood.prototypes("isolated"))
    os.kill(brood.prototypes("isolated")[0], signal.SIGKILL)
    wait_until(lambda: brood.prototypes("isolated") and brood.fetch().status == 200, what="another prototype")
    assert f"/{group}/isolated\n" in inside(brood)["cgroup"]
    assert brood.put("/config", {}).status == 200
    wait_until(lambda: not (hierarchy() / group).exists(), what="end of the group")


@AS_ROOT
@HAS_CGROUPS
def test_a_limit_without_its_controller(brood):
    group = f"brood-test-{os.getpid()}"
    if "memory" in (hierarchy() / "cgroup.controllers").read_text():
        look(brood, {"cgroup": {"path": group, "limits": {"memory": 512 * 1024 * 1024, "pids": 50, "cpu": 0.5}}})
        assert (hierarchy() / group / "memory.max").read_text() == f"{512 * 1024 * 1024}\n"
        assert (hierarchy() / group / "pids.max").read_text() == "50\n"
        assert (hierarchy() / group / "cpu.max").read_text() == "50000 100000\n"
        return
    answer = serve(brood, {"cgroup": {"path": group, "limits": {"memory": 512 * 1024 * 1024}}})
    assert answer.status == 500 and "memory.max" in answer.json["detail"], answer.text
    assert not (hierarchy() / group).exists()


# --- limits and rights ---

@AS_ROOT
def test_limits_and_priorities(brood):
    seen = look(brood, {"rlimits": {"nofile": {"soft": 200, "hard": 300}, "core": 0}, "nice": 7,
                        "oom_score_adj": 300, "affinity": [0]})
    assert seen["nofile"] == [200, 300] and seen["core"] == [0, 0]
    assert seen["nice"] == 7 and seen["oom"] == 300 and seen["affinity"] == [0]


@AS_ROOT
def test_capabilities_that_stay(brood):
    seen = look(brood, {"capabilities": ["net_bind_service", "chown"]})["status"]
    for which in ("CapEff", "CapPrm", "CapAmb", "CapBnd"):
        assert int(seen[which], 16) == 1 << 10 | 1 << 0, which
    seen = look(brood, {})["status"]
    assert int(seen["CapEff"], 16) == 0


@AS_ROOT
def test_no_new_privileges(brood):
    assert look(brood, {"new_privs": False})["status"]["NoNewPrivs"] == "1"


@AS_ROOT
def test_calls_that_no_application_needs(brood):
    look(brood, {}, user="root", group="root")
    assert inside(brood, "?mount=/mnt")["mount"] == "errno 1"
    look(brood, {"seccomp": False, "namespaces": {"mount": True}, "paths": {"hide_state": False}},
         user="root", group="root")
    assert inside(brood, "?mount=/mnt")["mount"] == "mounted"
    assert " /mnt " not in Path("/proc/self/mountinfo").read_text()


@AS_ROOT
def test_the_state_directory_is_out_of_reach_even_for_root(brood):
    conf = brood.state_dir / "conf.json"
    look(brood, {}, user="root", group="root")
    assert inside(brood, f"?read={conf}")["read"] == "errno 13"
    assert "started" in inside(brood, f"?read={brood.log_path}")["read"]
    look(brood, {"paths": {"hide_state": False}}, user="root", group="root")
    assert "applications" in inside(brood, f"?read={conf}")["read"]


@AS_ROOT
def test_paths_by_name(brood):
    language = ["/usr", "/lib", "/lib64", "/etc", "/proc", "/dev", str(APPS)]
    modules = os.environ.get("BROOD_MODULES") or str(Path(os.environ.get("BROOD_BUILD", "")) / "src" / "modules")
    paths = {"read": language + [modules], "write": ["/tmp", "/dev/null"]}
    assert serve(brood, {"paths": paths}).status == 200
    assert inside(brood, "?read=/etc/hostname")["read"] != "errno 13"
    assert inside(brood, "?read=/var/log/dpkg.log")["read"] == "errno 13"
    assert inside(brood, "?write=/tmp/brood-paths")["write"] == "written"
    answer = serve(brood, {"paths": {"read": ["/nowhere"]}})
    assert answer.status == 500 and "/nowhere" in answer.json["detail"]


# --- without privilege ---

@AS_ROOT
def test_a_plain_user_gets_namespaces_through_credentials(plain_user):
    seen = look(plain_user, {"namespaces": {"credential": True, "mount": True, "pid": True, "network": True,
                                            "uname": True, "ipc": True}, "hostname": "nest"})
    assert seen["hostname"] == "nest" and seen["pid"] < 10 and seen["interfaces"] == ["lo"]
    assert seen["uid_map"] == [str(NOBODY), str(NOBODY), "1"] and seen["ids"][:2] == [NOBODY, NOBODY]


@AS_ROOT
def test_a_plain_user_gets_a_root(plain_user, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    seen = look(plain_user, {"namespaces": {"credential": True, "mount": True, "pid": True}, "rootfs": str(root),
                             "binds": [{"source": str(APPS)}]})
    assert "home" not in seen["root"] and os.listdir(root) == []


@AS_ROOT
@pytest.mark.parametrize("isolation, word", [
    ({"namespaces": {"network": True}}, "fork"),
    ({"rootfs": "/srv"}, "root"),
    ({"nice": -5}, "nice"),
    ({"rlimits": {"nofile": {"soft": 10, "hard": 100000000}}}, "nofile"),
])
def test_a_plain_user_may_not(plain_user, isolation, word):
    answer = serve(plain_user, isolation)
    assert answer.status == 500 and word in answer.json["detail"], answer.text


@AS_ROOT
def test_filters_without_privilege_need_no_new_privileges(plain_user):
    assert look(plain_user, {})["status"]["Seccomp"] == "0"
    seen = look(plain_user, {"new_privs": False})["status"]
    assert seen["Seccomp"] == "2" and seen["NoNewPrivs"] == "1"


def filters(brood):
    return brood.status("/applications/isolated/isolation")


@AS_ROOT
def test_the_status_tells_the_filters_that_are_set(brood, plain_user):
    """As the kernel has them, not as they were wished for."""
    for isolation, options, expected in (
            (None, {}, (True, False)), (None, {"user": "root", "group": "root"}, (True, True)),
            ({"seccomp": False}, {"user": "root", "group": "root"}, (False, True)),
            ({"seccomp": False, "paths": {"hide_state": False}}, {"user": "root", "group": "root"}, (False, False)),
            ({"paths": {"read": ["/"], "write": ["/tmp", "/dev/null"]}}, {}, (True, True))):
        seen = look(brood, isolation, **options)
        assert filters(brood) == {"seccomp": expected[0], "landlock": expected[1]}, isolation
        assert seen["status"]["Seccomp"] == ("2" if expected[0] else "0")
    look(plain_user)
    assert filters(plain_user) == {"seccomp": False, "landlock": False}
    look(plain_user, {"new_privs": False})
    assert filters(plain_user) == {"seccomp": True, "landlock": True}  # the state directory is its own
    brood.configure({"listeners": {}, "applications": {"isolated": {"type": "command", "executable": "/bin/sleep", "arguments": ["1000"]}}})
    assert filters(brood) == {"seccomp": True, "landlock": False}


# --- afterwards ---

@AS_ROOT
@HAS_CGROUPS
def test_control_groups_of_a_killed_main_go_with_its_next_start(brood):
    top = f"brood-test-{os.getpid()}-killed"
    own_group = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    paths = [hierarchy() / own_group.strip("/") / top, hierarchy() / (top + "-root")]
    note = brood.state_dir / "cgroups"
    app = lambda group: {"type": "command", "executable": "/bin/sleep", "arguments": ["1000"], "isolation": {"cgroup": {"path": group}}}
    brood.configure({"listeners": {}, "applications": {"a": app(f"{top}/a"), "b": app(f"{top}/b"), "c": app(f"/{top}-root/c")}})
    assert all(p.is_dir() for p in paths) and len(note.read_text().splitlines()) == 3
    assert brood.control("/config/applications/b", "DELETE").status == 200
    wait_until(lambda: f"{top}/b" not in note.read_text(), what="a note of those that are left")
    kept = brood.state_dir / "conf.json"
    family = brood.family()
    brood.kill()
    wait_until(lambda: not any(is_alive(p) for p in family), what="end of all processes")
    assert all(p.is_dir() for p in paths)
    harmless = brood.dir / "harmless"
    harmless.mkdir()
    with note.open("a") as f:  # whatever is written there, only control groups go
        f.write(f"1 {harmless}\nnonsense\n99 /x\n")
    kept.write_text('{"listeners": {}, "applications": {}}')
    brood.start()
    wait_until(lambda: not any(p.exists() for p in paths), what="end of the groups")
    wait_until(lambda: not note.exists(), what="an empty note")
    assert harmless.is_dir()
    brood.configure({"listeners": {}, "applications": {"a": app(f"{top}/a")}})
    assert paths[0].is_dir()
    brood.stop()
    assert not paths[0].exists() and not note.exists()


@AS_ROOT
def test_nothing_stays_when_main_is_killed(brood, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    before = Path("/proc/self/mountinfo").read_text()
    look(brood, {"namespaces": {"pid": True, "mount": True, "network": True}, "rootfs": str(root),
                 "binds": [{"source": str(APPS)}]}, processes=2)
    family = brood.family()
    brood.kill()
    wait_until(lambda: not any(is_alive(p) for p in family), what="end of all processes")
    assert Path("/proc/self/mountinfo").read_text() == before and os.listdir(root) == []
