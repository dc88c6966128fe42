import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { AraProcess } from '../support/ara-process';
import { BrowserSite, launchBrowser } from '../support/browser';
import { followPage, pagesWith, samplesIn } from '../support/docs-page';
import { inSeconds, tokenFor } from '../support/tokens';
import { until } from '../support/until';

// The script of README.zh-TW.md is the README's.
const PAGES = pagesWith('js', 'jsx', 'vue').filter((page) => page !== 'README.zh-TW.md');
const PATIENCE_MS = 40_000;

// The pages once more, with JavaScript in the tabs of a real browser: the distribution's Chromium.
describe('in a browser', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  }, 90_000);

  afterAll(() => browser.close());

  describe('the samples of', () => {
    it.each(PAGES)('%s', (page) => followPage(page, { browser }), 150_000);

    it('the pages are found', () => {
      const some = ['README.md', 'docs/browser.md', 'docs/websocket.md', 'docs/sse.md', 'docs/zh-TW/guide.md'];
      expect(PAGES).toEqual(expect.arrayContaining(some));
    });
  });

  it('the module outlives its token and its node, and shows each notification once', async () => {
    let ara = await AraProcess.start({
      QUEUE_ENABLED: 'true',
      ACK_ENABLED: 'true',
      WEBSOCKET_CLOSE_ON_TOKEN_EXPIRY: 'true',
      JWT_LEEWAY_SECONDS: '0',
    });
    const folder = mkdtempSync(join(tmpdir(), 'ara-page-'));
    const module = samplesIn('docs/browser.md').find(({ role }) => role === 'ara.js');
    writeFileSync(join(folder, 'ara.js'), module?.code ?? '');
    writeFileSync(join(folder, 'app.js'), APP);
    const url = `${ara.url.replace('http', 'ws')}/ws`;
    const tokens = [tokenFor('demo', { exp: inSeconds(10) }), tokenFor('demo')];
    const site = await BrowserSite.open(browser, folder, { url, tokens });
    try {
      const tab = await site.visit('app.js');
      const times = (line: string): number => tab.output.split('\n').filter((one) => one === line).length;
      const opens = (wanted: number): Promise<unknown> =>
        until(`it opens ${wanted} times`, () => times('open') === wanted, PATIENCE_MS).catch((error: unknown) => {
          throw new Error(`${String(error)}\n${tab.output}`);
        });
      const post = (event_type: string): Promise<unknown> =>
        ara.post('/api/v1/notifications/send', { target_user_id: 'demo', event_type, payload: null });

      await opens(1);
      await post('acknowledgement lost');
      await post('fails at first');
      await opens(2);
      const isEmpty = async (): Promise<boolean> => (await ara.get('/health')).text.includes('"total_messages":0');
      await until('all are acknowledged', isEmpty, PATIENCE_MS);
      expect(times('acknowledgement lost')).toBe(1);
      expect(times('fails at first')).toBe(1);

      await ara.stop();
      ara = await ara.restart();
      await opens(3);
    } finally {
      await site.close();
      await ara.stop();
      rmSync(folder, { recursive: true });
    }
  }, 150_000);
});

/** A page whose first acknowledgement gets lost on the way, and which cannot take the second notification at once. */
const APP = `
import { listen } from './ara.js';

const send = WebSocket.prototype.send;
let isLost = false;
WebSocket.prototype.send = function (text) {
  if (isLost || !text.includes('Ack')) send.call(this, text);
  else isLost = true;
};
let hasFailed = false;
listen({
  url,
  getToken: async () => (tokens.length > 1 ? tokens.shift() : tokens[0]),
  onNotification: ({ event_type }) => {
    if (event_type === 'fails at first' && !hasFailed) {
      hasFailed = true;
      throw new Error('not now');
    }
    console.log(event_type);
  },
  onState: (state) => console.log(state),
});
`;
