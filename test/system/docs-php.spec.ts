import { followPage, pagesWith } from '../support/docs-page';

const PAGES = pagesWith('php');

// With the distribution's php-cli, php-curl, php-symfony-http-client, php-symfony-messenger and php-predis.
describe('the PHP samples of', () => {
  it.each(PAGES)('%s', (page) => followPage(page, { php: true }), 150_000);

  it('the pages are found', () => {
    expect(PAGES).toEqual(expect.arrayContaining(['README.md', 'docs/rest.md']));
  });
});
