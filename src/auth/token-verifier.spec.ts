import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import * as fc from 'fast-check';
import { forgedTokens, Genuine, type TokenIssuer } from '../../test/support/forged-tokens';
import type { AraConfig } from '../config/ara-config';
import { Clock } from '../notification/clock';
import { TokenVerifier } from './token-verifier';

const NOW = 1_800_000_000;
const SECRET = 'a secret of thirty-two characters';

class SetClock extends Clock {
  constructor(public ms = NOW * 1000) {
    super();
  }

  now(): number {
    return this.ms;
  }
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyObject): string =>
  key.export({ type: key.type === 'public' ? 'spki' : 'pkcs8', format: 'pem' }).toString();

const plain: TokenIssuer = {
  algorithm: 'HS256',
  key: SECRET,
  leewaySeconds: 60,
  nowSeconds: NOW,
  issuer: 'https://issuer.example',
  audience: 'ara',
  tenancy: true,
};

/** An issuer, and the key that the service verifies with. */
const ISSUERS: readonly (readonly [issuer: TokenIssuer, verifyingKey: string])[] = [
  [plain, SECRET],
  [{ ...plain, algorithm: 'RS256', key: pem(rsa.privateKey) }, pem(rsa.publicKey)],
  [{ ...plain, algorithm: 'ES256', key: pem(ec.privateKey) }, pem(ec.publicKey)],
];

function verifierFor(issuer: TokenIssuer, keys: readonly string[], clock: Clock = new SetClock()): TokenVerifier {
  const { algorithm, leewaySeconds, issuer: iss, audience, tenancy } = issuer;
  const config = {
    jwt: { algorithm, keys, leewaySeconds, issuer: iss, audience },
    tenant: { enabled: tenancy },
  } as unknown as AraConfig;
  return new TokenVerifier(config, clock);
}

describe.each(ISSUERS)('TokenVerifier with $algorithm', (issuer, key) => {
  const genuine = new Genuine(issuer);
  const verifier = verifierFor(issuer, [key]);
  const forgeries = forgedTokens(issuer);

  it('accepts what the forgeries are made from', () => {
    expect(verifier.verify(genuine.token())).toMatchObject({ user: 'alice' });
    expect(verifier.verify(genuine.signed(JSON.stringify(genuine.claims)))).toMatchObject({ user: 'alice' });
  });

  it('has at least 60 forgeries for each carrier', () => {
    for (const carrier of ['query', 'authorization', 'subprotocol'] as const) {
      expect(forgeries.filter(({ carriers }) => carriers.includes(carrier)).length).toBeGreaterThanOrEqual(60);
    }
  });

  it.each(forgeries)('refuses: $name', ({ token }) => {
    expect(verifier.verify(token)).toBeUndefined();
  });

  it('refuses a genuine token with any one character changed', () => {
    const token = genuine.token();
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, letter) => {
        fc.pre(letter !== token.charAt(at));
        expect(verifier.verify(token.slice(0, at) + letter + token.slice(at + 1))).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});

describe('TokenVerifier', () => {
  const genuine = new Genuine(plain);
  const verifier = verifierFor(plain, [SECRET]);

  it('reads who the bearer is', () => {
    const token = genuine.token({
      tenant_id: 'acme-corp',
      roles: ['user', 'admin'],
      channels: ['orders.*', 'news'],
      jti: 'j-1',
    });
    expect(verifier.verify(token)).toEqual({
      user: 'alice',
      tenant: 'acme-corp',
      roles: ['user', 'admin'],
      channels: [
        { kind: 'prefix', prefix: 'orders.' },
        { kind: 'exact', name: 'news' },
      ],
      expiresAt: (NOW + 3600) * 1000,
      issuedAt: NOW * 1000,
      jti: 'j-1',
    });
  });

  it('needs no more than sub and exp', () => {
    expect(verifier.verify(genuine.signed(`{"sub":"alice","exp":${NOW}}`))).toEqual({
      user: 'alice',
      tenant: 'default',
      roles: [],
      channels: undefined,
      expiresAt: NOW * 1000,
      issuedAt: undefined,
      jti: undefined,
    });
  });

  it.each([
    ['a tenant_id of null', { tenant_id: null }],
    ['a tenant_id of letters beyond ASCII', { tenant_id: '公司-1' }],
    ['an empty list of channels', { channels: [] }],
    ['an empty sub', { sub: '' }],
    ['a sub of 255 bytes', { sub: '愛'.repeat(85) }],
    ['times with fractions, as some PHP libraries write them', { exp: NOW + 0.25, iat: NOW - 0.5 }],
    ['a token that is not yet valid', { nbf: NOW + 86_400 }],
    ['a token issued in the future', { iat: NOW + 86_400 }],
    ['an audience among several', { aud: ['other', 'ara'] }],
    ['the right issuer', { iss: 'https://issuer.example' }],
    ['a jti that is none', { jti: 7 }],
    ['claims of others', { scope: 'a b', nested: { deep: [1] }, constructor: 'x' }],
  ])('accepts %s', (_name, claims) => {
    expect(verifier.verify(genuine.token(claims))).toBeDefined();
  });

  it.each([{ typ: 'at+jwt' }, { typ: undefined }, { kid: 'k1', jku: 'https://issuer.example/keys' }])(
    'takes no advice from the header %j',
    (header) => {
      expect(verifier.verify(genuine.token({}, header))).toBeDefined();
    },
  );

  it('accepts a token until exp + leeway, to the millisecond', () => {
    const clock = new SetClock();
    const strict = verifierFor(plain, [SECRET], clock);
    const token = genuine.token({ exp: NOW });
    clock.ms = (NOW + 60) * 1000 - 1;
    expect(strict.verify(token)).toBeDefined();
    clock.ms++;
    expect(strict.verify(token)).toBeUndefined();
  });

  it('ignores issuer and audience while none is configured', () => {
    const { algorithm, key, leewaySeconds, nowSeconds, tenancy } = plain;
    expect(
      verifierFor({ algorithm, key, leewaySeconds, nowSeconds, tenancy }, [SECRET]).verify(
        genuine.token({ iss: 'anyone', aud: ['anybody'] }),
      ),
    ).toBeDefined();
  });

  it('ignores the tenant while tenants are off', () => {
    const off = verifierFor({ ...plain, tenancy: false }, [SECRET]);
    expect(off.verify(genuine.token({ tenant_id: 'acme' }))).toMatchObject({ tenant: 'default' });
    expect(off.verify(genuine.token({ tenant_id: 'a:b' }))).toMatchObject({ tenant: 'default' });
  });

  it('accepts the previous key beside the current one, and no third', () => {
    const previous = 'the secret that was in use before it';
    const rotating = verifierFor(plain, [SECRET, previous]);
    const by = (key: string): string => new Genuine({ ...plain, key }).token();
    expect(rotating.verify(by(SECRET))).toBeDefined();
    expect(rotating.verify(by(previous))).toBeDefined();
    expect(rotating.verify(by('the secret that comes after them all'))).toBeUndefined();
  });

  it('says no to any text whatever, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.array(fc.base64String(), { maxLength: 5 })), (raw) => {
        expect(verifier.verify(typeof raw === 'string' ? raw : raw.join('.'))).toBeUndefined();
      }),
    );
  });

  it('says no to any signed JSON without a proper sub and exp, and never throws', () => {
    fc.assert(
      fc.property(fc.json(), (payload) => {
        expect(verifier.verify(genuine.signed(payload))).toBeUndefined();
      }),
    );
  });
});
