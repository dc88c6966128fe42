import { findToken, type TokenCarriers } from './token-source';

const JWT = 'aaa.bbb.ccc';
const MISSING = { kind: 'refused', status: 401, message: 'Missing authentication token' };

describe('findToken', () => {
  it.each<[string, TokenCarriers, string, string | undefined]>([
    ['the query', { query: `token=${JWT}` }, JWT, undefined],
    ['the query, percent-encoded', { query: 'x=1&token=a%2Eb&y=2' }, 'a.b', undefined],
    ['Authorization', { query: '', authorization: `Bearer ${JWT}` }, JWT, undefined],
    ['the subprotocol behind bearer', { query: '', subprotocols: `bearer, ${JWT}` }, JWT, 'bearer'],
    ['the subprotocol behind bearer, without a blank', { query: '', subprotocols: `bearer,${JWT}` }, JWT, 'bearer'],
    ['a subprotocol among others', { query: '', subprotocols: `v1, bearer, ${JWT}, v2` }, JWT, 'bearer'],
    ['a subprotocol behind bearer that is no JWT', { query: '', subprotocols: 'bearer, x' }, 'x', 'bearer'],
    ['a single subprotocol that looks like a JWT', { query: '', subprotocols: JWT }, JWT, JWT],
    [
      'the query rather than the headers',
      { query: 'token=q', authorization: 'Bearer h', subprotocols: JWT },
      'q',
      undefined,
    ],
    ['the query, even empty', { query: 'token=', authorization: `Bearer ${JWT}` }, '', undefined],
    ['the query, even without =', { query: 'token', authorization: `Bearer ${JWT}` }, '', undefined],
    [
      'Authorization rather than the subprotocol',
      { query: '', authorization: 'Bearer h', subprotocols: JWT },
      'h',
      undefined,
    ],
    [
      'the subprotocol when Authorization is another',
      { query: '', authorization: 'Basic eA', subprotocols: JWT },
      JWT,
      JWT,
    ],
  ])('finds it in %s', (_place, carriers, token, subprotocol) => {
    expect(findToken(carriers)).toEqual({ kind: 'found', token, subprotocol });
  });

  it.each([
    ['nothing at all', { query: '' }],
    ['other parameters', { query: 'channels=a&Token=x' }],
    ['another scheme', { query: '', authorization: 'Basic eA==' }],
    ['the scheme in lower case', { query: '', authorization: `bearer ${JWT}` }],
    ['the scheme alone', { query: '', authorization: 'Bearer' }],
    ['the subprotocol bearer alone', { query: '', subprotocols: 'bearer' }],
    ['a subprotocol that is something else', { query: '', subprotocols: 'graphql-ws' }],
    ['two subprotocols without bearer', { query: '', subprotocols: `graphql-ws, ${JWT}` }],
  ])('misses it in %s', (_place, carriers) => {
    expect(findToken(carriers)).toEqual(MISSING);
  });

  it('refuses a query that names two', () => {
    expect(findToken({ query: `token=${JWT}&token=${JWT}` })).toMatchObject({ kind: 'refused', status: 400 });
  });
});
