'use strict';
// The probe in Node: initialises once, then does what its first argument says.  See languages.py.
const fs = require('fs');
const os = require('os');
const path = require('path');
const tty = require('tty');
const { spawn, spawnSync } = require('child_process');
const prefork = require('prefork-interp');

const wait = (seconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
const [, init, rest] = /^(\S*) ?(.*)$/s.exec(process.env.PROBE_INIT || '');
if (init === 'exit') process.exit(Number(rest));
if (init === 'signal') { process.kill(process.pid, Number(rest)); wait(10); }
if (init === 'sleep') wait(Number(rest));
if (init === 'run') spawnSync(rest, { shell: true, stdio: 'inherit' });
if (init === 'mark') fs.appendFileSync(rest, `${process.pid}\n`);
let module_version = 'none';
try {
  module_version = require(path.join(__dirname, 'probe_module.js')).version();
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error;
}
if (process.env.PROBE_CHECK) prefork.autoreloadAlsoCheck(process.env.PROBE_CHECK);
if (init !== 'never') {
  const pairs = (process.env.PROBE_OPTIONS || '').split(' ').filter(Boolean).map((pair) => pair.split('='));
  prefork.initialisationComplete(Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)])));
}
// Each call has initialised by itself; what they share is the process that starts them.
const token = process.ppid.toString(16);

const say = (text, fd = 1) => {
  for (let left = Buffer.from(text); left.length > 0;) left = left.subarray(fs.writeSync(fd, left));
};
const read = (fd, room) => {
  const buffer = Buffer.alloc(room);
  return buffer.subarray(0, fs.readSync(fd, buffer));
};
const works = (what) => { try { what(); return true; } catch (error) { return false; } };
// Node keeps USR1 to start its debugger, until somebody has listened to it.
const own_usr1 = () => process.on('SIGUSR1', () => {}).removeAllListeners('SIGUSR1');
const is_ignored = (number) => {
  const set = BigInt(`0x${/^SigIgn:\s*(\w+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]}`);
  return (set >> BigInt(number - 1) & 1n) === 1n;
};

const [what, ...args] = process.argv.slice(2);
const all = {
  args: () => say(args.map((arg) => `${Buffer.from(arg).toString('hex')}\n`).join('')),
  env: () => say(Object.keys(process.env).sort().map((name) => `${name}=${process.env[name]}\0`).join('')),
  exit: () => process.exit(Number(args[0])),
  fall: () => {},
  die: () => { own_usr1(); process.kill(process.pid, Number(args[0])); wait(10); },
  cat: () => { for (let piece; (piece = read(0, 65536)).length > 0;) say(piece); },
  line: () => { let line = 'nothing\n'; works(() => { line = read(0, 1000).toString() || line; }); say(`got: ${line}`); },
  both: () => { console.log(args[0]); console.error(args[1]); },
  where: () => say(`${process.cwd()}\n`),
  umask: () => say(`${process.umask().toString(8).padStart(4, '0')}\n`),
  who: () => say(`${token} ${process.pid} ${module_version}\n`),
  name: () => say(`${process.argv[1]}\n`),
  limit: () => spawnSync('ulimit -n', { shell: true, stdio: 'inherit' }),
  nice: () => say(`${os.getPriority()}\n`),
  random: () => say(`${Math.random()}\n`),
  tty: () => say(`${[0, 1, 2].map((fd) => (tty.isatty(fd) ? 1 : 0)).join(' ')}\n`),
  fd: () => say(works(() => fs.fstatSync(Number(args[0]))) ? 'open\n' : 'closed\n'),
  writefd: () => say(args[1], Number(args[0])),
  closed: () => say(works(() => say('x')) ? 'written\n' : 'refused\n', 2),
  ignored: () => say(is_ignored(os.constants.signals[`SIG${args[0]}`]) ? 'yes\n' : 'no\n'),
  sleep: () => { own_usr1(); say('ready\n'); setTimeout(() => say('slept\n'), args[0] * 1000); },
  trap: () => {
    process.on(`SIG${args[0]}`, () => { say(`caught ${args[0]}\n`); process.exit(Number(args[1])); });
    setTimeout(() => {}, 20000);
    say('ready\n');
  },
  background: () => spawn('sh', ['-c', 'sleep 0.5; : >"$1"', 'sh', args[0]], { detached: true, stdio: 'ignore' }).unref(),
  child: () => spawnSync('echo "${PREFORK_INTERP-unset}"', { shell: true, stdio: 'inherit' }),
  file: () => process.on('exit', () => fs.writeFileSync(args[0], 'buffered')),
  fail: () => { throw new Error('this one is expected'); },
  streams: () => { process.stdout.write(`${process.stdout.isTTY} `, () => process.stdin.on('data', (d) => console.log(String(d)))); },
  zone: () => say(`${new Date(0).getHours()}\n`),
};
if (!all[what]) { say(`probe: what is ${what}?\n`, 2); process.exit(2); }
all[what]();
