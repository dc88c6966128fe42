/** Words of the samples that documents show, and that people forget to replace. */
const SAMPLE =
  /your[-_ ]|change[-_ ]?(me|this|it)|replace[-_ ]?(me|this|with)|placeholder|example|sample|password|123456/i;
const FEWEST_LETTERS = 6;

/** Why a secret would be guessed, as the end of a sentence; undefined when nothing speaks against it. */
export function weakness(secret: string): string | undefined {
  if (SAMPLE.test(secret)) return 'it looks like a sample';
  if (new Set(secret).size < FEWEST_LETTERS) return 'it repeats few characters';
  if (/^(.{1,12}?)\1+$/.test(secret)) return 'it repeats itself';
  return undefined;
}
