'use strict';
/*
 * Pay a Node script's start-up ahead of its call: the script's side of prefork-interp.
 *
 *   const prefork = require('/usr/local/lib/brood/node/prefork-interp.js');
 *   const large = require('large');                   // what takes its time
 *   prefork.initialisationComplete({ idle_timeout: 3600 });    // returns in each call, in a process of its own
 *
 * Node cannot be forked: its virtual machine is threads.  So each call has a process that has initialised by itself, while nobody
 * waited for it (option spare, 1: how many of them wait).  Calls that come faster than that wait for an initialisation.
 *
 *   setup: script initialises --initialisationComplete--> server and brood-interp-fresh are executed, setup exits
 *   server --F--> brood-interp-fresh starts the script once more; it initialises and waits for a request in the function above
 *
 * The protocol: docs/interp.md.  Where prefork-interp has not started the script nothing is loaded and nothing done.
 */
const fs = require('fs');
const path = require('path');

const DEFAULTS = {
  max_servers: 4, idle_timeout: 1000000, autoreload_inc: true, autoreload_extra: [], max_errors: 100, log_facility: 'LOG_USER',
  spare: 1, warmup: null, max_calls: 0, int_grace: 5, term_grace: 5, sigpipe: 'default',
};
const PLAIN_NUMBERS = ['max_servers', 'idle_timeout', 'max_errors', 'spare', 'max_calls', 'int_grace', 'term_grace'];

const alsoCheck = [];

// Out of the environment at once: a program started during initialisation must not take it for its own.
const variable = process.env.PREFORK_INTERP;
const spare = process.env.PREFORK_INTERP_SPARE;
delete process.env.PREFORK_INTERP;
delete process.env.PREFORK_INTERP_SPARE;

let addon = null;
let fault = null; // told when it matters
if (variable !== undefined || spare !== undefined) {
  try {
    addon = require(path.join(__dirname, 'prefork_interp.node'));
    if (variable !== undefined) addon.hide(variable);
  } catch (error) {
    fault = error;
  }
}

function checked(options) {
  for (const name of Object.keys(options)) {
    if (!Object.prototype.hasOwnProperty.call(DEFAULTS, name)) {
      throw new TypeError(`initialisationComplete: unknown option '${name}'`);
    }
  }
  const all = { ...DEFAULTS, ...options };
  if (!['default', 'node'].includes(all.sigpipe)) {
    throw new TypeError(`initialisationComplete: sigpipe is 'default' or 'node', not '${all.sigpipe}'`);
  }
  return all;
}

// From our wrapper, from the environment, or where we were installed.
function serverProgram() {
  const told = / server=(.*)$/s.exec(variable);
  const prefix = /^(.*)\/lib.*\/brood\/node$/s.exec(__dirname);
  const places = [told && told[1], process.env.BROOD_INTERP, prefix && `${prefix[1]}/libexec/brood/brood-interp`].filter(Boolean);
  for (const place of places) {
    try {
      fs.accessSync(place, fs.constants.X_OK);
      return place;
    } catch (error) {
      // the next one
    }
  }
  throw new Error(`initialisationComplete: cannot find the server program brood-interp (looked at: ${places.join(', ')})`);
}

// Of our own command line, up to and with the script: what is behind them are arguments.
function wordsBeforeArguments() {
  const words = fs.readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(0, -1);
  return words.slice(0, Math.max(1, words.length - (process.argv.length - 2)));
}

// Does not return.
function leaveCaller(options) {
  const server = serverProgram();
  const words = wordsBeforeArguments();
  const script = words[words.length - 1];
  const files = [script, ...alsoCheck, ...options.autoreload_extra];
  if (options.autoreload_inc) files.push(...Object.keys(require.cache).filter((file) => path.isAbsolute(file)));
  const said = [
    `script=${script}`, ...words.map((word) => `word=${word}`), ...[...new Set(files)].map((file) => `file=${file}`),
    ...PLAIN_NUMBERS.map((name) => `${name}=${Math.trunc(Number(options[name]))}`), `log_facility=${options.log_facility}`,
  ];
  addon.open(variable, server, path.join(__dirname, 'brood-interp-fresh'), said, words);
}

function becomeCall(options) {
  if (options.warmup) options.warmup();
  const zone = process.env.TZ;
  const args = addon.take(Number(spare), options.sigpipe === 'default' ? 1 : 0);
  process.argv.splice(2, Infinity, ...args);
  // Through JavaScript, so that the virtual machine looks at it again.
  if (process.env.TZ !== zone) {
    if (process.env.TZ === undefined) delete process.env.TZ;
    else process.env.TZ = String(process.env.TZ);
  }
}

/** Further files whose change makes the server start anew. */
function autoreloadAlsoCheck(...paths) {
  alsoCheck.push(...paths.map(String));
}

/** Returns (a promise that is already kept) once for each call; at once and only once where the script runs by itself. */
function initialisationComplete(options = {}) {
  const all = checked(options);
  if (variable !== undefined || spare !== undefined) {
    if (fault) throw fault;
    if (spare !== undefined) becomeCall(all);
    else leaveCaller(all);
  }
  return Promise.resolve();
}

module.exports = {
  initialisationComplete, autoreloadAlsoCheck,
  prefork_initialisation_complete: initialisationComplete, prefork_autoreload_also_check: autoreloadAlsoCheck,
};
