import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign as signWith } from 'node:crypto';

/** How the service under test is set up, and the key that signs its genuine tokens. */
export interface TokenIssuer {
  readonly algorithm: 'HS256' | 'RS256' | 'ES256';
  /** The secret; for RS256 and ES256 the private key as PEM. */
  readonly key: string;
  readonly leewaySeconds: number;
  readonly nowSeconds: number;
  /** Absent: the forgeries that need it are left out. */
  readonly issuer?: string;
  readonly audience?: string;
  /** Whether TENANT_ENABLED is on; if not, the claim means nothing and cannot be forged. */
  readonly tenancy: boolean;
}

export type TokenCarrier = 'query' | 'authorization' | 'subprotocol';

export interface ForgedToken {
  readonly name: string;
  readonly token: string;
  /** Where it arrives unchanged: a header cannot carry each character, a query can. */
  readonly carriers: readonly TokenCarrier[];
}

type Json = Readonly<Record<string, unknown>>;
type Text = string | Buffer;

const attackersRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const attackersEc = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const attackersEd = generateKeyPairSync('ed25519');

/** Tokens that the service must refuse, every one, whichever way it comes. Names are unique. */
export function forgedTokens(issuer: TokenIssuer): ForgedToken[] {
  const genuine = new Genuine(issuer);
  const table: Record<string, string> = {
    ...notTokens(genuine),
    ...wrongAlgorithms(genuine),
    ...wrongSignatures(genuine),
    ...wrongHeaders(genuine),
    ...wrongClaims(genuine),
    ...ambiguousTexts(genuine),
  };
  return Object.entries(table).map(([name, token]) => ({ name, token, carriers: carriersOf(token) }));
}

/** The issuer's own hand: everything it signs is signed well, whatever it says. */
export class Genuine {
  readonly claims: Json;

  constructor(readonly issuer: TokenIssuer) {
    this.claims = { sub: 'alice', exp: issuer.nowSeconds + 3600, iat: issuer.nowSeconds };
  }

  /** A token that the service accepts, with some claims replaced (`undefined` removes one). */
  token(claims: Json = {}, header: Json = {}): string {
    return this.signed(JSON.stringify({ ...this.claims, ...claims }), header);
  }

  /** Any text in the payload's place; a header given as text stands as it is. */
  signed(payload: Text, header: Json | Text = {}): string {
    const { algorithm, key } = this.issuer;
    const head =
      typeof header === 'string' || Buffer.isBuffer(header)
        ? header
        : JSON.stringify({ alg: algorithm, typ: 'JWT', ...header });
    return signed(head, payload, algorithm, key);
  }

  /** What the whole world may know: the public key, if there is one. */
  get publicPem(): string | undefined {
    const { algorithm, key } = this.issuer;
    if (algorithm === 'HS256') return undefined;
    return createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'pem' }).toString();
  }
}

function notTokens(genuine: Genuine): Record<string, string> {
  const token = genuine.token();
  const [head = '', body = '', signature = ''] = token.split('.');
  return {
    'the empty text': '',
    'the word null': 'null',
    'the word undefined': 'undefined',
    'one part': head,
    'two parts': `${head}.${body}`,
    'two parts and a dot': `${head}.${body}.`,
    'four parts': `${token}.${signature}`,
    'five parts, as of a JWE': `${head}.${body}.${signature}.${body}.${signature}`,
    'three empty parts': '..',
    'no header': `.${body}.${signature}`,
    'no payload': `${head}..${signature}`,
    'a leading dot': `.${token}`,
    'parts in another order': `${body}.${head}.${signature}`,
    'characters outside of base64url': `${head}.${body}.!!!!`,
    'the JSON serialisation': JSON.stringify({ protected: head, payload: body, signature }),
    'a leading blank': ` ${token}`,
    'a trailing blank': `${token} `,
    'a trailing line end': `${token}\n`,
    'a trailing NUL': `${token}\0`,
    'a blank inside': `${head}. ${body}.${signature}`,
    'the scheme as part of it': `Bearer ${token}`,
    'quotes around it': `"${token}"`,
    'padded with =': `${token}=`,
    'another letter case': token.toUpperCase(),
    '8 KiB of one letter': 'a'.repeat(8192),
    '4,000 dots': '.'.repeat(4000),
    'deeply nested brackets': signed('['.repeat(3000), '{}', 'HS256', 'guess'),
  };
}

function wrongAlgorithms(genuine: Genuine): Record<string, string> {
  const { algorithm, key } = genuine.issuer;
  const payload = JSON.stringify(genuine.claims);
  const rsa = attackersRsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const ec = attackersEc.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const head = (alg: unknown): string => JSON.stringify({ alg, typ: 'JWT' });
  const table: Record<string, string> = {
    'alg missing': genuine.signed(payload, '{"typ":"JWT"}'),
    'alg null': genuine.token({}, { alg: null }),
    'alg a number': genuine.token({}, { alg: 256 }),
    'alg a list': genuine.token({}, { alg: [algorithm] }),
    'alg an object': genuine.token({}, { alg: { toString: algorithm } }),
    'alg empty': genuine.token({}, { alg: '' }),
    'alg in lower case': genuine.token({}, { alg: algorithm.toLowerCase() }),
    'alg with a blank': genuine.token({}, { alg: `${algorithm} ` }),
    'alg unknown': genuine.token({}, { alg: 'XS256' }),
    'alg __proto__': genuine.token({}, { alg: '__proto__' }),
    'RS256 by another key': signed(head('RS256'), payload, 'RS256', rsa),
    'ES256 by another key': signed(head('ES256'), payload, 'ES256', ec),
    'PS256 by another key': signed(head('PS256'), payload, 'RS256', rsa),
    'EdDSA by another key': join(head('EdDSA'), payload, (text) =>
      signWith(null, text, attackersEd.privateKey).toString('base64url'),
    ),
    'HS256 with an empty secret': signed(head('HS256'), payload, 'HS256', ''),
    'HS256 with the word secret': signed(head('HS256'), payload, 'HS256', 'secret'),
    'HS256 with NUL bytes': signed(head('HS256'), payload, 'HS256', '\0'.repeat(32)),
  };
  for (const none of ['none', 'None', 'NONE', 'nOnE']) {
    table[`alg ${none}, unsigned`] = join(head(none), payload, () => '');
    table[`alg ${none}, signed`] = genuine.token({}, { alg: none });
  }
  for (const [alg, hash] of [
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
  ] as const) {
    table[`${alg} with the right key`] = join(head(alg), payload, (text) =>
      createHmac(hash, key).update(text).digest('base64url'),
    );
  }
  const { publicPem } = genuine;
  if (publicPem !== undefined) {
    const der = createPublicKey(publicPem).export({ type: 'spki', format: 'der' });
    table['HS256 with the public key as its secret'] = signed(head('HS256'), payload, 'HS256', publicPem);
    table['HS256 with the public key, trimmed'] = signed(head('HS256'), payload, 'HS256', publicPem.trim());
    table['HS256 with the public key as DER'] = signed(head('HS256'), payload, 'HS256', der);
  }
  return table;
}

function wrongSignatures(genuine: Genuine): Record<string, string> {
  const { algorithm, nowSeconds } = genuine.issuer;
  const [head = '', body = '', signature = ''] = genuine.token().split('.');
  const bytes = Buffer.from(signature, 'base64url');
  const flipped = Buffer.from(bytes);
  flipped[0] = (flipped[0] ?? 0) ^ 1;
  const [, otherBody = ''] = genuine.token({ sub: 'root' }).split('.');
  const [, , otherSignature = ''] = genuine.token({ exp: nowSeconds + 7200 }).split('.');
  const otherHead = encode(JSON.stringify({ alg: algorithm, typ: 'JWT', kid: '1' }));
  return {
    'the payload of another token': `${head}.${otherBody}.${signature}`,
    'the signature of another token': `${head}.${body}.${otherSignature}`,
    'the header of another token': `${otherHead}.${body}.${signature}`,
    'one bit of the signature turned': `${head}.${body}.${encode(flipped)}`,
    'a signature cut short': `${head}.${body}.${signature.slice(0, -4)}`,
    'a signature of one letter': `${head}.${body}.A`,
    'a signature grown longer': `${head}.${body}.${signature}AAAA`,
    'a signature of zeros': `${head}.${body}.${encode(Buffer.alloc(bytes.length))}`,
    'the signature in hexadecimal': `${head}.${body}.${bytes.toString('hex')}`,
    'the signature in another letter case': `${head}.${body}.${swapCase(signature)}`,
    'the signature with stray bits at its end': `${head}.${body}.${withStrayBits(signature)}`,
    'the payload in the place of the signature': `${head}.${body}.${body}`,
  };
}

function wrongHeaders(genuine: Genuine): Record<string, string> {
  const { algorithm } = genuine.issuer;
  const payload = JSON.stringify(genuine.claims);
  const attackersKey = attackersRsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const jwk = attackersRsa.publicKey.export({ format: 'jwk' });
  const octets = { kty: 'oct', k: encode('attacker') };
  const bySelf = (header: Json): string =>
    signed(JSON.stringify({ alg: 'RS256', typ: 'JWT', ...header }), payload, 'RS256', attackersKey);
  const byGuess = (header: Json, secret: string): string =>
    signed(JSON.stringify({ alg: 'HS256', typ: 'JWT', ...header }), payload, 'HS256', secret);
  return {
    'jwk brings its own key': bySelf({ jwk }),
    'jwk brings its own secret': byGuess({ jwk: octets }, 'attacker'),
    'jku names a key set': bySelf({ jku: 'https://attacker.example/jwks.json' }),
    'x5u names a certificate': bySelf({ x5u: 'https://attacker.example/cert.pem' }),
    'x5c brings a certificate': bySelf({ x5c: ['MIIB'] }),
    'kid leads to an empty file': byGuess({ kid: '../../../../dev/null' }, ''),
    'kid injects SQL': byGuess({ kid: "' UNION SELECT 'attacker" }, 'attacker'),
    'kid injects a command': byGuess({ kid: '| echo attacker' }, 'attacker'),
    'kid is __proto__': byGuess({ kid: '__proto__' }, 'undefined'),
    'crit demands an extension': genuine.token({}, { crit: ['urn:example:policy'], 'urn:example:policy': 1 }),
    'crit is empty': genuine.token({}, { crit: [] }),
    'b64 false with crit': genuine.token({}, { b64: false, crit: ['b64'] }),
    'b64 false without crit': genuine.token({}, { b64: false }),
    'b64 false, payload signed as it is': unencoded(genuine),
    'the header is no JSON': genuine.signed(payload, 'alg=HS256'),
    'the header is cut short': genuine.signed(payload, `{"alg":"${algorithm}"`),
    'the header is a text': genuine.signed(payload, `"${algorithm}"`),
    'the header is a list': genuine.signed(payload, `["${algorithm}"]`),
    'the header is null': genuine.signed(payload, 'null'),
    'the header is a JWE header': genuine.signed(payload, '{"alg":"dir","enc":"A128GCM"}'),
    'the header names alg twice': genuine.signed(payload, `{"alg":"none","alg":"${algorithm}"}`),
    'the header is not UTF-8': genuine.signed(
      payload,
      Buffer.concat([Buffer.from(`{"alg":"${algorithm}","kid":"`), Buffer.from([0xff]), Buffer.from('"}')]),
    ),
  };
}

function wrongClaims(genuine: Genuine): Record<string, string> {
  const { nowSeconds, leewaySeconds, issuer, audience, tenancy } = genuine.issuer;
  const wrong: Record<string, readonly (readonly [name: string, value: unknown])[]> = {
    exp: [
      ['missing', undefined],
      ['null', null],
      ['a text', String(nowSeconds + 3600)],
      ['a date', '2099-01-01T00:00:00Z'],
      ['true', true],
      ['a list', [nowSeconds + 3600]],
      ['an object', { valueOf: nowSeconds + 3600 }],
      ['zero', 0],
      ['negative', -1],
      ['far below zero', -1e300],
      ['beyond all dates', 1e300],
      ['the largest 64-bit number', 2 ** 63],
      ['just beyond the leeway', nowSeconds - leewaySeconds - 1],
      ['yesterday', nowSeconds - 86_400],
    ],
    iat: [
      ['null', null],
      ['a text', String(nowSeconds)],
      ['a list', [nowSeconds]],
      ['negative', -1],
      ['beyond all dates', 1e300],
    ],
    sub: [
      ['missing', undefined],
      ['null', null],
      ['a number', 42],
      ['true', true],
      ['a list', ['alice']],
      ['an object', { id: 'alice' }],
      ['of 256 bytes', 'a'.repeat(256)],
      ['of 86 letters and 258 bytes', '愛'.repeat(86)],
      ['with NUL', 'alice\0'],
      ['with a lone high surrogate', 'alice\ud800'],
      ['with a lone low surrogate', '\udc00alice'],
    ],
    roles: [
      ['null', null],
      ['a text', 'admin'],
      ['a number', 1],
      ['an object', { 0: 'admin', length: 1 }],
      ['a list of numbers', [1]],
      ['a list with null', ['user', null]],
      ['a list of lists', [['admin']]],
    ],
    channels: [
      ['null', null],
      ['a text', '*'],
      ['true', true],
      ['an object', { 0: '*', length: 1 }],
      ['a list of numbers', [1]],
      ['a list with null', ['orders', null]],
      ['a list of lists', [['*']]],
    ],
    ...(tenancy && {
      tenant_id: [
        ['with a colon', 'acme:orders'],
        ['empty', ''],
        ['of 65 bytes', 'a'.repeat(65)],
        ['of 22 letters and 66 bytes', '愛'.repeat(22)],
        ['with a blank', 'acme corp'],
        ['with a blank around', ' acme'],
        ['with a slash', 'acme/../other'],
        ['with a star', '*'],
        ['with NUL', 'acme\0'],
        ['with a line end', 'acme\n'],
        ['with a lone surrogate', 'acme\ud800'],
        ['a number', 1],
        ['false', false],
        ['a list', ['acme']],
        ['an object', { id: 'acme' }],
      ],
    }),
    ...(issuer !== undefined && {
      iss: [
        ['another', `${issuer}.attacker.example`],
        ['empty', ''],
        ['null', null],
        ['a list', [issuer]],
      ],
    }),
    ...(audience !== undefined && {
      aud: [
        ['another', `${audience}2`],
        ['null', null],
        ['an empty list', []],
        ['a list of others', ['a', 'b']],
        ['a list in a list', [[audience]]],
        ['an object', { includes: audience }],
      ],
    }),
  };
  return Object.fromEntries(
    Object.entries(wrong).flatMap(([claim, cases]) =>
      cases.map(([name, value]) => [`${claim} ${name}`, genuine.token({ [claim]: value })]),
    ),
  );
}

function ambiguousTexts(genuine: Genuine): Record<string, string> {
  const claims = JSON.stringify(genuine.claims);
  const { nowSeconds } = genuine.issuer;
  const exp = nowSeconds + 3600;
  return {
    'sub twice': genuine.signed(`{"sub":"root",${claims.slice(1)}`),
    'sub twice, once in escapes': genuine.signed(`{"\\u0073ub":"root",${claims.slice(1)}`),
    'exp twice, once over': genuine.signed(`{"exp":1,${claims.slice(1)}`),
    'tenant_id twice': genuine.signed(`{"tenant_id":"acme","tenant_id":"other",${claims.slice(1)}`),
    'roles twice': genuine.signed(`{"roles":["admin"],"roles":[],${claims.slice(1)}`),
    'a claim that means nothing twice': genuine.signed(`{"x":1,"x":2,${claims.slice(1)}`),
    'claims only in __proto__': genuine.signed(`{"__proto__":${claims}}`),
    'claims one level too deep': genuine.signed(`{"claims":${claims}}`),
    'the payload is a list': genuine.signed(`[${claims}]`),
    'the payload is a text': genuine.signed(JSON.stringify(claims)),
    'the payload is null': genuine.signed('null'),
    'the payload is a number': genuine.signed('1'),
    'the payload is an empty object': genuine.signed('{}'),
    'the payload is no JSON': genuine.signed('sub=alice'),
    'the payload is cut short': genuine.signed(claims.slice(0, -1)),
    'something after the payload': genuine.signed(`${claims}{}`),
    'a byte order mark before the payload': genuine.signed(`\ufeff${claims}`),
    'a comment in the payload': genuine.signed(`${claims.slice(0, -1)}/**/}`),
    'a trailing comma': genuine.signed(`${claims.slice(0, -1)},}`),
    'single quotes': genuine.signed(claims.replaceAll('"', "'")),
    'exp NaN': genuine.signed(`{"sub":"alice","exp":NaN}`),
    'exp Infinity': genuine.signed(`{"sub":"alice","exp":Infinity}`),
    'exp 1e999': genuine.signed(`{"sub":"alice","exp":1e999}`),
    'exp in hexadecimal': genuine.signed(`{"sub":"alice","exp":0x${exp.toString(16)}}`),
    'exp with a leading zero': genuine.signed(`{"sub":"alice","exp":0${exp}}`),
    'sub that is not UTF-8': genuine.signed(
      Buffer.concat([Buffer.from('{"sub":"alice'), Buffer.from([0xff]), Buffer.from(`","exp":${exp}}`)]),
    ),
    'a surrogate as CESU-8 bytes': genuine.signed(
      Buffer.concat([Buffer.from('{"sub":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from(`","exp":${exp}}`)]),
    ),
    'a raw line end in sub': genuine.signed(`{"sub":"ali\nce","exp":${exp}}`),
  };
}

/** RFC 7797: the signature covers the payload's own text instead of its encoding. */
function unencoded(genuine: Genuine): string {
  const { algorithm, key } = genuine.issuer;
  const payload = JSON.stringify(genuine.claims);
  const head = encode(JSON.stringify({ alg: algorithm, b64: false, crit: ['b64'] }));
  return `${head}.${encode(payload)}.${signatureOf(Buffer.from(`${head}.${payload}`), algorithm, key)}`;
}

function signed(head: Text, payload: Text, algorithm: TokenIssuer['algorithm'], key: Text): string {
  return join(head, payload, (text) => signatureOf(text, algorithm, key));
}

function join(head: Text, payload: Text, signature: (text: Buffer) => string): string {
  const text = `${encode(head)}.${encode(payload)}`;
  return `${text}.${signature(Buffer.from(text))}`;
}

function signatureOf(text: Buffer, algorithm: TokenIssuer['algorithm'], key: Text): string {
  if (algorithm === 'HS256') return createHmac('sha256', key).update(text).digest('base64url');
  const signature = signWith('sha256', text, { key, dsaEncoding: 'ieee-p1363' });
  return signature.toString('base64url');
}

function encode(text: Text): string {
  return Buffer.from(text).toString('base64url');
}

function swapCase(text: string): string {
  return text.replaceAll(/[a-z]/gi, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
}

/** The same bytes in another spelling: the last letter's unused bits are not zero. */
function withStrayBits(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(text.slice(-1));
  return text.slice(0, -1) + alphabet.charAt(last + 1);
}

function carriersOf(token: string): TokenCarrier[] {
  const carriers: TokenCarrier[] = ['query'];
  if (/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(token)) carriers.push('authorization');
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(token)) carriers.push('subprotocol');
  return carriers;
}
