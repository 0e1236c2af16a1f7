/**
 * Which files of a project hold secrets and stay on the host. A pure decision on path and content, from one table; the
 * names on it are withheld whether or not git tracks them.
 */

/** Repetitions in these patterns have bounds, so that no content can make them slow. */
export interface SecretRule {
  /** What is shown beside the path. */
  reason: string;
  /** Tested against the last component, lower-cased. */
  name: RegExp;
  /** Further condition on the lower-cased path, `/`-separated. */
  path?: RegExp;
  /** Condition on content; without it the name decides. Gets the text, and whether that is the whole file. */
  content?: (text: string, isWhole: boolean) => boolean;
  /** Bytes without which `content` is not asked; spares decoding thousands of ordinary files. */
  marker?: string;
}

const HARMLESS_SUFFIX = /\.(?:example|sample|template|pub)$/;

/** A value is a secret only if it is more than a reference to an environment variable. */
function hasLiteral(text: string, key: RegExp): boolean {
  for (const match of text.matchAll(key)) {
    const value = (match[1] ?? '').trim().replace(/^["']|["']$/g, '');
    if (value !== '' && !/^\$\{?\w+\}?$/.test(value) && !/^<.*>$/.test(value)) return true;
  }
  return false;
}

const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File-|AGE-SECRET-KEY-1/;
const PEM_LABEL = /-----BEGIN ([A-Z0-9 ]{1,60})-----/g;
const PUBLIC_LABELS =
  /^(?:X509 |TRUSTED )?CERTIFICATE$|^(?:RSA |EC |DSA )?PUBLIC KEY$|^X509 CRL$|PARAMETERS$/;

/** True unless the text is, from begin to end, a bundle of certificates or public keys, such as programs need to run. */
function isNotPublicPem(text: string, isWhole: boolean): boolean {
  const labels = [...text.matchAll(PEM_LABEL)].map((match) => match[1] ?? '');
  return !isWhole || labels.length === 0 || !labels.every((label) => PUBLIC_LABELS.test(label));
}

export const SECRET_RULES: readonly SecretRule[] = [
  { reason: 'environment file', name: /^\.env(?:\..+|rc\.local)?$/ },
  { reason: 'PEM file', name: /\.pem$/, content: isNotPublicPem },
  { reason: 'SSH private key', name: /^id_(?:rsa|dsa|ecdsa|ed25519|ecdsa_sk|ed25519_sk)(?:[._-].*)?$/ },
  {
    reason: 'private key',
    name: /\.(?:key|priv|pk8|p8|ppk|der|asc|gpg|crt|cer|cert|txt|age|secret)$|_key$|^id_|^identity$|^[^.]*(?:key|private|secret|rsa|ed25519)[^.]*$/,
    content: (text) => PRIVATE_KEY.test(text),
  },
  {
    reason: 'PGP secret key',
    name: /\.(?:asc|gpg|key|pgp)$/,
    content: (text) => /BEGIN PGP PRIVATE KEY/.test(text),
  },
  { reason: 'key store', name: /\.(?:p12|pfx|jks|keystore|bcfks|kdbx|kdb|keychain|agekey)$|^secring\.gpg$/ },
  {
    reason: 'registry token',
    name: /^\.(?:npmrc|yarnrc|pnpmrc)$/,
    content: (text) =>
      hasLiteral(text, /(?:_authToken|_auth|_password)["']?[ \t]{0,9}[=: \t][ \t]{0,9}(\S{1,400})/gi) ||
      hasUrlPassword(text),
  },
  {
    reason: 'registry token',
    name: /^\.yarnrc\.yml$/,
    content: (text) =>
      hasLiteral(text, /(?:npmAuthToken|npmAuthIdent)["']?[ \t]{0,9}:[ \t]{0,9}(\S{1,400})/gi),
  },
  {
    reason: 'registry password',
    name: /^\.?pypirc$|^pip\.conf$|^\.bundle$/,
    content: (text) =>
      hasLiteral(text, /^[ \t]{0,9}password[ \t]{0,9}[=:][ \t]{0,9}(\S{1,400})/gim) || hasUrlPassword(text),
  },
  {
    reason: 'netrc password',
    name: /^[._]netrc$/,
    content: (text) => hasLiteral(text, /\bpassword\s{1,20}(\S{1,400})/gi),
  },
  { reason: 'git credentials', name: /^\.git-credentials$/ },
  { reason: 'cloud credentials', name: /^(?:credentials|config|sso|.*\.json)$/, path: /(?:^|\/)\.aws\// },
  { reason: 'cloud credentials', name: /^/, path: /(?:^|\/)\.azure\// },
  {
    reason: 'cloud credentials',
    name: /^/,
    path: /(?:^|\/)(?:\.config\/)?gcloud\/.*(?:\.json|\.db|credentials)$/,
  },
  { reason: 'cloud credentials', name: /^application_default_credentials\.json$|^accesstokens\.json$/ },
  {
    reason: 'service account key',
    name: /\.json$/,
    marker: 'private_key',
    content: (text) => /"private_key"\s{0,20}:\s{0,20}"-----BEGIN/.test(text),
  },
  {
    reason: 'service account key',
    name: /^(?:service[-_]?account|gcp[-_]key|firebase-adminsdk).*\.json$/,
    content: (text, isWhole) => !isWhole || /"private_key(?:_id)?"\s{0,20}:\s{0,20}"[^"]/.test(text),
  },
  {
    reason: 'cluster credentials',
    name: /^kubeconfig(?:\..*)?$|\.kubeconfig$/,
    content: (text) =>
      /^[ \t]{0,40}-?[ \t]{0,9}(?:token|client-key-data|password|client-key)[ \t]{0,9}:[ \t]{0,9}\S/m.test(
        text,
      ),
  },
  { reason: 'cluster credentials', name: /^config$/, path: /(?:^|\/)\.kube\/config$/ },
  {
    reason: 'container registry login',
    name: /^config\.json$|^\.dockercfg$|^\.dockerconfigjson$/,
    path: /(?:^|\/)\.docker\/config\.json$|\.dockercfg$|\.dockerconfigjson$/,
    content: (text) => /"(?:auth|identitytoken|registrytoken)"\s{0,20}:\s{0,20}"[^"]/.test(text),
  },
  { reason: 'Terraform state', name: /\.tfstate(?:\.backup|\.\d+\.backup)?$/ },
  {
    reason: 'Terraform variables',
    name: /\.tfvars(?:\.json)?$/,
    content: (text) =>
      hasLiteral(
        text,
        /(?:password|secret|token|api_?key|private_?key)\w{0,40}"?[ \t]{0,40}[=:][ \t]{0,9}("[^"\n]{0,400}")/gi,
      ),
  },
  {
    reason: 'Terraform login',
    name: /^credentials\.tfrc\.json$|^\.terraformrc$/,
    content: (text) => /token/.test(text),
  },
  {
    reason: 'Rails master key',
    name: /^(?:master|production|staging|development)\.key$/,
    path: /(?:^|\/)config\/(?:credentials\/)?[^/]+$/,
  },
  {
    reason: 'package registry login',
    name: /^credentials(?:\.toml)?$/,
    path: /(?:^|\/)\.(?:cargo|gem)\/[^/]+$/,
  },
  { reason: 'database password', name: /^\.pgpass$|^\.my\.cnf$|^\.mylogin\.cnf$/ },
  { reason: 'password file', name: /^\.vault[-_](?:pass|password|token)(?:\.txt)?$|^\.htpasswd$/ },
  { reason: 'command line login', name: /^hosts\.yml$/, path: /(?:^|\/)gh\/hosts\.yml$/ },
];

/** Whether the URLs in a text hold a password. */
function hasUrlPassword(text: string): boolean {
  return hasLiteral(text, /\bhttps?:\/\/[^\s/@:]{0,200}:([^\s/@]{1,400})@/gi);
}

/** What decides about a path: its secret rules, most of which need the content. */
export interface SecretSuspicion {
  /** Withheld by its name alone. */
  reason?: string;
  /** Rules to ask with the content; see {@link secretInContent}. */
  rules: readonly SecretRule[];
}

const NOT_SUSPICIOUS: SecretSuspicion = { rules: [] };

/** One test that nearly every ordinary path fails, so that twenty thousand of them cost next to nothing. */
const ANY_NAME = new RegExp(
  SECRET_RULES.filter((rule) => rule.name.source !== '^')
    .map((rule) => `(?:${rule.name.source})`)
    .join('|'),
);
const ANY_PATH = /(?:^|\/)(?:\.azure|gcloud)\//;

/** What a file's path (of any encoding, `/`-separated) makes it suspect of. */
export function suspectSecret(path: string): SecretSuspicion {
  const lower = path.toLowerCase();
  const name = lower.slice(lower.lastIndexOf('/') + 1);
  if ((!ANY_NAME.test(name) && !ANY_PATH.test(lower)) || HARMLESS_SUFFIX.test(name)) return NOT_SUSPICIOUS;
  const rules: SecretRule[] = [];
  for (const rule of SECRET_RULES) {
    if (!rule.name.test(name) || (rule.path !== undefined && !rule.path.test(lower))) continue;
    if (rule.content === undefined) return { reason: rule.reason, rules: [] };
    rules.push(rule);
  }
  return rules.length === 0 ? NOT_SUSPICIOUS : { rules };
}

/** Why content makes a suspect file a secret, or undefined. `isWhole` tells whether `head` is all of the file. */
export function secretInContent(
  suspicion: SecretSuspicion,
  head: Uint8Array,
  isWhole: boolean,
): string | undefined {
  if (suspicion.rules.length === 0) return undefined;
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  let text: string | undefined;
  for (const rule of suspicion.rules) {
    if (rule.marker !== undefined && !bytes.includes(rule.marker)) continue;
    text ??= bytes.toString('latin1');
    if (rule.content?.(text, isWhole)) return rule.reason;
  }
  return undefined;
}

/** The whole decision at once: why a file with this path and content is withheld, or undefined. */
export function secretReason(path: string, head: Uint8Array, isWhole = true): string | undefined {
  const suspicion = suspectSecret(path);
  return suspicion.reason ?? secretInContent(suspicion, head, isWhole);
}
