import { generateKeyPairSync } from 'node:crypto';
import { readPublicKeys } from './public-keys';

const spki = { type: 'spki', format: 'pem' } as const;
const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;

function rsa(modulusLength: number): { publicKey: string; privateKey: string } {
  return generateKeyPairSync('rsa', { modulusLength, publicKeyEncoding: spki, privateKeyEncoding: pkcs8 });
}

function ec(namedCurve: string): string {
  return generateKeyPairSync('ec', { namedCurve, publicKeyEncoding: spki, privateKeyEncoding: pkcs8 }).publicKey;
}

describe('readPublicKeys', () => {
  const { publicKey, privateKey } = rsa(2048);
  const p256 = ec('P-256');

  it('gives the keys of the configured algorithm, in their order, whatever stands around them', () => {
    expect(readPublicKeys(publicKey, 'RS256')).toEqual([publicKey]);
    const second = ec('P-256');
    expect(readPublicKeys(`current:\n${p256}\nprevious:\n${second}`, 'ES256')).toEqual([p256, second]);
  });

  it.each([
    ['no PEM', 'hello', 'RS256', 'the file holds no key in PEM form'],
    ['a broken key', publicKey.replace(/\n.{20}/, '\nAAAA'), 'RS256', 'the file holds no valid public key'],
    ['a private key', privateKey, 'RS256', 'the file holds a private key; the public one is needed'],
    ['a curve for RS256', p256, 'RS256', 'the file holds a key that is not for RS256: RSA of at least 2048 bits'],
    [
      'a short RSA key',
      rsa(1024).publicKey,
      'RS256',
      'the file holds a key that is not for RS256: RSA of at least 2048 bits',
    ],
    ['RSA for ES256', publicKey, 'ES256', 'the file holds a key that is not for ES256: an elliptic curve key on P-256'],
    [
      'another curve',
      ec('P-384'),
      'ES256',
      'the file holds a key that is not for ES256: an elliptic curve key on P-256',
    ],
    [
      'a wrong second key',
      p256 + publicKey,
      'ES256',
      'the file holds a key that is not for ES256: an elliptic curve key on P-256',
    ],
  ] as const)('refuses %s', (_, text, algorithm, fault) => {
    expect(readPublicKeys(text, algorithm)).toEqual({ fault });
  });
});
