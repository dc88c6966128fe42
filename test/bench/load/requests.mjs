/** HTTP clients in a closed loop: each sends its next request when the answer to the last one is there. */
import { connect } from 'node:net';

const LENGTH = /\r\ncontent-length: (\d+)/i;

/** Sends `count` requests over `connections` kept-alive connections, with the bodies in turn. */
async function run({ port, method, path, headers, body = '', bodies = [body], count, connections }) {
  const fields = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const requests = bodies.map((content) => {
    const length = `Content-Length: ${Buffer.byteLength(content)}\r\nContent-Type: application/json\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}${content === '' ? '' : length}`;
    return Buffer.from(`${head}\r\n${content}`);
  });
  const state = { left: count };
  await Promise.all(Array.from({ length: connections }, () => converse(port, requests, state)));
  return {};
}

function converse(port, requests, state) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let text = '';
    const next = () => {
      if (state.left-- > 0) socket.write(requests[state.left % requests.length]);
      else resolve(socket.destroy());
    };
    socket.on('error', reject);
    socket.on('connect', next);
    socket.on('data', (chunk) => {
      text = text === '' ? chunk.latin1Slice() : text + chunk.latin1Slice();
      const head = text.indexOf('\r\n\r\n');
      if (head === -1) return;
      if (!text.startsWith('HTTP/1.1 200') && !text.startsWith('HTTP/1.1 201')) return reject(new Error(text));
      const length = LENGTH.exec(text);
      if (length === null) return reject(new Error(`an answer without length: ${text}`));
      if (text.length < head + 4 + Number(length[1])) return;
      text = '';
      next();
    });
  });
}

process.on('message', async (question) => {
  try {
    process.send(await run(question));
  } catch (error) {
    process.send({ error: String(error.message) });
  }
});
process.send({ port: 0 });
