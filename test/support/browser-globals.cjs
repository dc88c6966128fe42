/** What a page in a browser has and older Node versions have not: WebSocket, EventSource; and `token`, which samples assume. */
const { WebSocket } = require('ws');

/** The part of the standard EventSource that the samples use, without reconnection. */
class EventSource extends EventTarget {
  #abort = new AbortController();

  constructor(url) {
    super();
    this.#read(url).catch(() => this.dispatchEvent(new Event('error')));
  }

  close() {
    this.#abort.abort();
  }

  async #read(url) {
    const answer = await fetch(url, { signal: this.#abort.signal, headers: { accept: 'text/event-stream' } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    let rest = '';
    for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) this.#dispatch(block);
    }
  }

  #dispatch(block) {
    const field = (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
    const [type, data, lastEventId] = [field('event') ?? 'message', field('data'), field('id') ?? ''];
    if (data !== undefined) this.dispatchEvent(Object.assign(new Event(type), { data, lastEventId }));
  }
}

Object.assign(globalThis, { WebSocket, EventSource, token: process.env.TOKEN });
