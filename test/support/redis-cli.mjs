/** `redis-cli` for one command: `redis-cli.mjs <port> <words…>`. Prints what a script sees of the real one. */
import { connect } from 'node:net';

const [port, ...words] = process.argv.slice(2);
const socket = connect(Number(port), '127.0.0.1');
socket.setEncoding('utf8');
socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
socket.once('data', (answer) => {
  const [first, second] = answer.split('\r\n');
  console.log(first.startsWith('$') ? second : first.slice(first.startsWith('-') ? 0 : 1));
  process.exitCode = first.startsWith('-') ? 1 : 0;
  socket.destroy();
});
