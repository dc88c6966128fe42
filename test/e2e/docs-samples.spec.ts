import { followPage, pagesWith } from '../support/docs-page';

const PAGES = pagesWith('bash', 'js');

// Whoever types what a page says gets the answers that it shows.
describe('the samples of', () => {
  it.each(PAGES)('%s', (page) => followPage(page), 150_000);

  it('the pages are found', () => {
    expect(PAGES).toEqual(expect.arrayContaining(['README.md', 'docs/rest.md', 'docs/websocket.md', 'docs/sse.md']));
  });
});
