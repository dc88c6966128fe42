import { followPage, pagesWith } from '../support/docs-page';

const PAGES = pagesWith('php');

// With the distribution's php-cli, php-curl and php-symfony-http-client.
describe('the PHP samples of', () => {
  it.each(PAGES)('%s', (page) => followPage(page, { php: true }), 90_000);

  it('the pages are found', () => {
    expect(PAGES).toEqual(expect.arrayContaining(['README.md', 'docs/rest.md']));
  });
});
