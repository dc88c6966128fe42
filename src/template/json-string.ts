const ESCAPES = /(?:\\(?:u[0-9a-f]{4}|.))+/gi;

/** The text as it stands between the quotes of a JSON string. */
export function stringContents(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** The text that these contents of a JSON string mean. */
export function textOf(contents: string): string {
  return contents.includes('\\') ? String(JSON.parse(`"${contents}"`)) : contents;
}

/**
 * The same JSON with every character spelled plainly that needs no escape: `\u007b` becomes `{`, `\/` becomes `/`.
 * PHP escapes all of Unicode unless told otherwise; readers of the text should not see that.
 */
export function withPlainEscapes(json: string): string {
  // Neighbouring escapes are read together, because two of them may be the halves of one character.
  return json.includes('\\') ? json.replace(ESCAPES, (escapes) => stringContents(textOf(escapes))) : json;
}
