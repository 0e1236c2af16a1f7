/**
 * Letters that look like others. From the data of Unicode's UTS 39 (confusables.txt, version 17): the single letters of other
 * scripts whose prototype is one ASCII letter, of the scripts that are used to deceive and not those that merely exist.
 */

/** Each group: the ASCII letter, then what looks like it. */
const CYRILLIC =
  'aа AА bЬ BВ cс CС dԁ eеҽ EЕ GԌ hһ HН iіꙇ jј JЈ KК lІӏӀ MМ oо OО pр PР qԛ rг sѕ SЅ TТ vѵ VѴ wѡшԝ WԜ xх XХ yуү YУҮ';
const GREEK = 'AΑ BΒ EΕ FϜ HΗ iι jϳ JͿ KΚ lΙ MΜϺ NΝ oο OΟ pρϸ PΡ TΤ uυ vν aα XΧ YΥ ZΖ';
const ARMENIAN = 'fք gց hհ iւ nոռ oօ OՕ qգզ SՏ uս UՍ wա';
const CHEROKEE =
  'AᎪ bᏏ BᏴ cꮯ CᏟ dᏧ DᎠ EᎬ GᏀᏳ hᏂ HᎻ iꭵᎥ JᎫ KᏦ LᏞ MᎷ PᏢ rꮁ RᎡᏒ sꮪ SᏕᏚ TᎢ vꮩ VᏙ wꮃ WᎳᏔ YᎩᎽ zꮓ ZᏃ';
const LISU = 'Aꓮ Bꓐ Cꓚ dꓒ Dꓓ Eꓰ Fꓝ Gꓖ Hꓧ Jꓙ Kꓗ lꓲ Lꓡ Mꓟ Nꓠ Oꓳ Pꓑ Rꓣ Sꓢ Tꓔ Uꓴ Vꓦ Wꓪ Xꓫ Yꓬ Zꓜ';
const COPTIC = 'BⲂ cⲥ CⲤ HⲎ iⲓ KⲔ lⲒ MⲘ NⲚ oⲟ OⲞ pⲣ PⲢ rⲅ TⲦ wⲽ XⲬ yⲩ YⲨ';
const LATIN = 'aɑ gɡ cᴄ lǀ oᴏ vᴠ wᴡ zᴢ sꜱ uᴜ';

const LETTERS = new Map(
  [CYRILLIC, GREEK, ARMENIAN, CHEROKEE, LISU, COPTIC, LATIN].flatMap((table) =>
    table.split(' ').flatMap((group) => {
      const [letter = '', ...others] = Array.from(group);
      return others.map((other) => [other, letter] as const);
    }),
  ),
);

/** A letter that has no place in a word with Latin ones: Greek only where it looks Latin, for `Δx` is ordinary. */
const FOREIGN = new RegExp(
  `[\\p{Script=Cyrillic}\\p{Script=Armenian}\\p{Script=Cherokee}\\p{Script=Lisu}\\p{Script=Coptic}\\u{1d400}-\\u{1d7ff}\\uff21-\\uff3a\\uff41-\\uff5a${[...LETTERS.keys()].join('')}]`,
  'u',
);
/** A word, as programs have them. */
const WORDS = /[\p{L}\p{N}\p{M}_$]+/gu;
/** Words longer than this are no words. */
const MAX_WORD = 256;

/** Whether a word of the text has Latin letters and others that could pass for them. */
export function mixesLookAlikes(text: string): boolean {
  return FOREIGN.test(text) && foreignWords(text).some((word) => /[A-Za-z]/.test(word));
}

/** The words with such a letter. Most lines have none, and are not taken apart. */
function foreignWords(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => FOREIGN.test(line))
    .flatMap((line) => line.match(WORDS) ?? [])
    .filter((word) => FOREIGN.test(word));
}

/** A word spelled with the letters of mathematics is the plain word to some compilers, and another to a search. */
export function hasDisguisedLetters(text: string): boolean {
  return /[\u{1d400}-\u{1d7cb}]{2}/u.test(text);
}

/**
 * Words of a text that look like other words of it (or of `among`) and are none: `сору` beside `copy`. Only words of three
 * letters and more, because short ones of other languages look like something always.
 */
export function findTwins(text: string, among: string): string[] {
  const suspects = new Map<string, string>();
  if (!FOREIGN.test(text)) return [];
  for (const word of foreignWords(text)) {
    if (word.length < 3 || word.length > MAX_WORD) continue;
    const twin = looksLikeAscii(word);
    if (twin !== undefined) suspects.set(twin, word);
  }
  if (suspects.size === 0) return [];
  const found = new Set<string>();
  for (const [word] of among.matchAll(/[\w$]+/g)) if (suspects.has(word)) found.add(word);
  return [...found];
}

/** The ASCII text that this one looks like to the letter, or undefined when it is ASCII or looks like none. */
export function looksLikeAscii(text: string): string | undefined {
  if (isPlain(text)) return undefined;
  let out = '';
  for (const char of text) {
    const like = char < '\x80' ? char : LETTERS.get(char);
    if (like === undefined) return undefined;
    out += like;
  }
  return out;
}

function isPlain(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}
