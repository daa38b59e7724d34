"""The daemon begins, is refused a second time, and leaves nothing behind."""

import os
import signal
import socket
import stat
import subprocess

from brood import BINARY, Brood, free_port, is_alive, wait_until


def test_version_and_help_go_to_stdout():
    for option, word in (("--version", "brood"), ("--help", "--control"), ("-h", "--statedir")):
        run = subprocess.run([BINARY, option], capture_output=True, text=True)
        assert run.returncode == 0 and word in run.stdout and run.stderr == ""


def test_a_wrong_option_is_one_line_and_exit_1():
    for words in (["--nonsense"], ["--control"], ["positional"], ["--routers", "x"], ["--control-mode", "9"]):
        run = subprocess.run([BINARY, *words], capture_output=True, text=True)
        assert run.returncode == 1 and run.stdout == "" and run.stderr.count("\n") == 1, (words, run)


def test_the_tree_of_processes_has_its_titles(brood):
    titles = sorted(brood.family().values())
    assert [t for t in titles if t.startswith("brood: main")] and "brood: controller" in titles and "brood: router" in titles
    assert not [t for t in titles if t.startswith("brood: discovery")]


def test_control_socket_and_pid_file(brood):
    assert stat.S_IMODE(os.stat(brood.control_path).st_mode) == 0o600
    assert brood.pid_path.read_text() == f"{brood.pid}\n"
    brood.stop()
    assert not brood.control_path.exists() and not brood.pid_path.exists()


def test_a_live_control_socket_refuses_a_second_daemon(brood):
    second = subprocess.run(brood.command(), capture_output=True, text=True, cwd=brood.dir, env=brood.env, timeout=20)
    assert second.returncode == 1 and str(brood.control_path) in second.stderr + brood.log()
    assert brood.get().status == 200


def test_a_stale_control_socket_is_replaced(make_brood):
    daemon = make_brood(start=False)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(daemon.control_path))
    daemon.start()
    assert daemon.get().status == 200


def test_what_the_caller_left_open_is_closed(make_brood):
    daemon = make_brood(start=False)
    kept, left = os.pipe()
    daemon.process = subprocess.Popen(daemon.command(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=daemon.dir,
                                      env=daemon.env, pass_fds=[left])
    os.close(left)
    daemon.wait_ready()
    os.set_blocking(kept, False)
    assert os.read(kept, 1) == b""
    os.close(kept)


def test_stop_by_each_signal(make_brood):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        make_brood().stop(number)


def test_daemonising_returns_when_ready(make_brood):
    daemon = make_brood(start=False)
    command = [w for w in daemon.command() if w != "--no-daemon"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=daemon.dir, env=daemon.env, timeout=30)
    assert run.returncode == 0, run
    pid = int(daemon.pid_path.read_text())
    assert daemon.get().status == 200
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_alive(pid), what="end of the daemon")


def test_daemonising_reports_failure(make_brood):
    daemon = make_brood(start=False)
    command = [w for w in daemon.command() if w != "--no-daemon"]
    command[command.index("--control") + 1] = "unix:/proc/nowhere/control.sock"
    run = subprocess.run(command, capture_output=True, text=True, cwd=daemon.dir, env=daemon.env, timeout=30)
    assert run.returncode == 1 and "/proc/nowhere" in run.stderr + daemon.log()


def test_no_orphan_a_second_after_main_is_killed(brood):
    brood.serve("echo", processes=2)
    family = brood.family()
    assert len(family) >= 6
    brood.kill()
    wait_until(lambda: not [p for p in family if is_alive(p)], deadline=1.0, what="end of all processes")


def test_state_survives_a_restart(brood):
    port = free_port()
    config = {"listeners": {f"127.0.0.1:{port}": {"pass": "routes"}}, "routes": [{"action": {"return": 204}}]}
    brood.configure(config)
    brood.stop()
    brood.start()
    assert brood.get().json == config
    assert brood.fetch(port=port).status == 204


def test_a_damaged_state_starts_with_the_default_and_is_kept(make_brood):
    daemon = make_brood(start=False)
    daemon.state_dir.mkdir()
    (daemon.state_dir / "conf.json").write_text('{"listeners": ')
    daemon.start()
    assert daemon.get().json == {"listeners": {}, "routes": [], "applications": {}}
    assert "[alert]" in daemon.log()
    assert (daemon.state_dir / "conf.json").read_text() == '{"listeners": '


def test_check_reports_line_and_column(tmp_path):
    good, bad, wrong = (tmp_path / n for n in ("good.json", "bad.json", "wrong.json"))
    good.write_text('// comment\n{"listeners": {"*:8080": {"pass": "routes"}}, "routes": []}\n')
    bad.write_text('{\n  "listeners": {],\n}\n')
    wrong.write_text('{\n  "listeners": {"*:8080": {"pass": "applications/none"}}\n}\n')
    assert subprocess.run([BINARY, "--check", good]).returncode == 0
    run = subprocess.run([BINARY, "--check", bad], capture_output=True, text=True)
    assert run.returncode == 1 and f"{bad}:2:17" in run.stdout + run.stderr
    run = subprocess.run([BINARY, "--check", wrong], capture_output=True, text=True)
    assert run.returncode == 1 and f"{wrong}:2:" in run.stdout + run.stderr and "none" in run.stdout + run.stderr


def test_starts_from_a_configuration_file(make_brood, tmp_path):
    port = free_port()
    path = tmp_path / "conf.json"
    path.write_text('{"listeners": {"127.0.0.1:%d": {"pass": "routes"}}, /* here */ "routes": [{"action": {"return": 204}},]}' % port)
    daemon = make_brood("--config", str(path))
    assert daemon.fetch(port=port).status == 204
