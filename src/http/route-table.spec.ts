import { RouteTable, type RouteLayer } from './route-table';

function layer(path: string, verbs: string[], pattern?: RegExp): RouteLayer {
  const methods = Object.fromEntries(verbs.map((verb) => [verb, true]));
  return { route: { path, methods }, match: (raw) => (pattern === undefined ? raw === path : pattern.test(raw)) };
}

describe('the route table', () => {
  const broken: RouteLayer = {
    route: { path: '/files/:name', methods: { get: true } },
    match: (raw) => {
      if (!raw.startsWith('/files/')) return false;
      throw new URIError('bad encoding');
    },
  };
  const table = new RouteTable([
    { match: () => true },
    layer('/everything', ['_all']),
    layer('/items', ['get']),
    layer('/items', ['post']),
    layer('/items/:id', ['get'], /^\/items\/[^/]+$/),
    layer('/items/:id', ['delete'], /^\/items\/[^/]+$/),
    broken,
  ]);

  it('gathers the verbs of a path, HEAD wherever GET is', () => {
    expect([...(table.find('/items')?.methods ?? [])]).toEqual(['GET', 'HEAD', 'POST']);
    expect(table.find('/items/7')).toMatchObject({ pattern: '/items/:id' });
    expect([...(table.find('/items/7')?.methods ?? [])]).toEqual(['GET', 'HEAD', 'DELETE']);
  });

  it('does not take middleware for routes', () => {
    expect(table.find('/anything')).toBeUndefined();
    expect(table.find('/everything')).toBeUndefined();
    expect(table.routes.map(({ pattern }) => pattern)).toEqual(['/items', '/items/:id', '/files/:name']);
  });

  it('leaves broken percent-encoding to Express', () => {
    expect(table.find('/files/%zz')?.pattern).toBe('/files/:name');
  });
});
