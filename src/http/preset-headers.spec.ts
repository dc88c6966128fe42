import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { presetHeaders, presetResponseClass, takePresetHeaders } from './preset-headers';

async function answerOf(write: (response: ServerResponse) => void): Promise<Response> {
  const server = createServer({ ServerResponse: presetResponseClass() }, (_request, response) => {
    presetHeaders(response, ['X-First', 'preset', 'X-Second', 'preset']);
    write(response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    return await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

describe('preset headers', () => {
  it.each<[string, (response: ServerResponse) => void]>([
    ['an implicit head', (response) => response.end()],
    ['a head of fields', (response) => response.writeHead(200, { 'X-Own': '1' }).end()],
    ['a head with a reason', (response) => response.writeHead(200, 'Fine', { 'X-Own': '1' }).end()],
    ['a list', (response) => response.writeHead(200, ['X-Own', '1']).end()],
    ['flushed headers', (response) => void (response.flushHeaders(), response.end())],
  ])('go out with %s', async (_name, write) => {
    const { headers } = await answerOf(write);
    expect([headers.get('x-first'), headers.get('x-second')]).toEqual(['preset', 'preset']);
  });

  it('give way to what was set by name, in any case of letters', async () => {
    const { headers } = await answerOf((response) => response.setHeader('x-FIRST', 'own').end());
    expect([headers.get('x-first'), headers.get('x-second')]).toEqual(['own', 'preset']);
  });

  it('are handed over once, and only while nothing else was set', async () => {
    const taken: unknown[] = [];
    const { headers } = await answerOf((response) => {
      taken.push(takePresetHeaders(response), takePresetHeaders(response));
      response.setHeader('X-Own', '1');
      taken.push(takePresetHeaders(response));
      response.end();
      taken.push(takePresetHeaders(response));
    });
    expect(taken).toEqual([['X-First', 'preset', 'X-Second', 'preset'], [], undefined, undefined]);
    expect(headers.has('x-first')).toBe(false);
  });
});
