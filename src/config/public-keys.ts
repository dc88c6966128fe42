import { createPublicKey } from 'node:crypto';
import type { JwtAlgorithm } from './ara-config';

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g;

/** The public keys of a PEM file in its order, each as PEM text; or, as a sentence's end, why they do not serve. */
export function readPublicKeys(text: string, algorithm: JwtAlgorithm): readonly string[] | { readonly fault: string } {
  const blocks = [...text.matchAll(PEM_BLOCK)];
  if (blocks.length === 0) return { fault: 'the file holds no key in PEM form' };
  const keys: string[] = [];
  for (const [block, label = ''] of blocks) {
    // A verifier that holds the private key could as well forge every token.
    if (label.includes('PRIVATE')) return { fault: 'the file holds a private key; the public one is needed' };
    const key = parse(block);
    if (key === undefined) return { fault: 'the file holds no valid public key' };
    if (!serves(key, algorithm))
      return { fault: `the file holds a key that is not for ${algorithm}: ${needs(algorithm)}` };
    keys.push(key.export({ type: 'spki', format: 'pem' }).toString());
  }
  return keys;
}

type PublicKey = ReturnType<typeof createPublicKey>;

function parse(block: string): PublicKey | undefined {
  try {
    return createPublicKey(block);
  } catch {
    return undefined;
  }
}

function serves({ asymmetricKeyType, asymmetricKeyDetails }: PublicKey, algorithm: JwtAlgorithm): boolean {
  if (algorithm === 'RS256') return asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048;
  return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

function needs(algorithm: JwtAlgorithm): string {
  return algorithm === 'RS256' ? 'RSA of at least 2048 bits' : 'an elliptic curve key on P-256';
}
