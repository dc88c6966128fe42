/**
 * Preloaded into the service by NODE_OPTIONS: ends the process, as a power cut would, at the n-th passage of one place
 * between accepting a notification and forgetting it. AUDIT_FAILPOINT=<step>:<before|after>:<n>. The service itself
 * knows nothing of this.
 */
const Module = require('node:module');

const [step, moment, nth] = (process.env.AUDIT_FAILPOINT ?? '').split(':');
let left = Number(nth);

function pass(at) {
  if (at !== moment || --left !== 0) return;
  process.kill(process.pid, 'SIGKILL');
  // The signal may take a moment; nothing more may happen until then.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Wraps a method; a promise is passed when it is fulfilled. */
function watch(prototype, name, applies = () => true) {
  const original = prototype[name];
  prototype[name] = function (...args) {
    if (!applies(...args)) return original.apply(this, args);
    pass('before');
    const result = original.apply(this, args);
    if (typeof result?.then !== 'function') {
      pass('after');
      return result;
    }
    return result.then((value) => {
      pass('after');
      return value;
    });
  };
}

const hasReceipts = (_bytes, onTaken) => onTaken !== undefined;

/** Step → class → how. */
const PLACES = {
  append: [/(Redis|Postgres)QueueStore$/, 'append'],
  send: [/^LocalDelivery$/, 'deliver'],
  write: [/^(Ws|Sse)Sink$/, 'write', hasReceipts],
  commit: [/(Redis|Postgres)QueueStore$/, 'commit'],
  settle: [/(Redis|Postgres)AckStore$/, 'acknowledgeMany'],
};

if (step) {
  const [className, method, applies] = PLACES[step];
  const load = Module.prototype.load;
  const seen = new Set();
  Module.prototype.load = function (filename) {
    load.call(this, filename);
    if (filename.includes('node_modules')) return;
    for (const value of Object.values(this.exports ?? {})) {
      if (typeof value !== 'function' || seen.has(value) || !className.test(value.name)) continue;
      seen.add(value);
      watch(value.prototype, method, applies);
    }
  };
}
