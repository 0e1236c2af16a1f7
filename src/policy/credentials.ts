/** Credentials inside other text: taken out of git's own files before they go into the guest, and looked for in review. */

/** `scheme://user:password@` of any URL. The password may hold anything but blanks and slashes. */
const URL_USERINFO = /\b([a-z][a-z0-9+.-]{0,20}):\/\/([^\s/"'<>]{0,2000})@/gi;

interface TokenShape {
  name: string;
  /** One of these is in every such token: cheap to look for. */
  markers: readonly string[];
  shape: RegExp;
}

/** The shapes of tokens that are recognised by sight. Every repetition is bounded, or of one class and last. */
export const TOKEN_SHAPES: readonly TokenShape[] = [
  {
    name: 'a GitHub token',
    markers: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'],
    shape: /\bgh[pousr]_[A-Za-z0-9]{16,}/g,
  },
  { name: 'a GitHub token', markers: ['github_pat_'], shape: /\bgithub_pat_\w{20,}/g },
  {
    name: 'a GitLab token',
    markers: ['glpat-', 'glptt-', 'gldt-', 'glcbt-', 'glrt-', 'glsoat-'],
    shape: /\bgl(?:pat|ptt|dt|cbt|rt|soat)-[\w-]{16,}/g,
  },
  {
    name: 'a Slack token',
    markers: ['xox', 'xapp-'],
    shape: /\bxox[abeoprs]-[\w-]{10,}|\bxapp-\d-[\w-]{10,}/g,
  },
  {
    name: 'a Slack webhook',
    markers: ['hooks.slack.com/'],
    shape: /hooks\.slack\.com\/services\/[\w/]{20,}/g,
  },
  { name: 'an API key', markers: ['sk-'], shape: /\bsk-[\w-]{20,}/g },
  { name: 'an AWS key', markers: ['AKIA', 'ASIA'], shape: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g },
  { name: 'a Google key', markers: ['AIza'], shape: /\bAIza[\w-]{30,}/g },
  { name: 'a Google secret', markers: ['GOCSPX-'], shape: /\bGOCSPX-[\w-]{20,}/g },
  { name: 'a Google token', markers: ['ya29.'], shape: /\bya29\.[\w-]{20,}/g },
  { name: 'an Atlassian token', markers: ['ATATT'], shape: /\bATATT[\w=-]{20,}/g },
  { name: 'an npm token', markers: ['npm_'], shape: /\bnpm_[A-Za-z0-9]{30,}/g },
  { name: 'a PyPI token', markers: ['pypi-AgEI'], shape: /\bpypi-AgEI[\w-]{40,}/g },
  { name: 'a Hugging Face token', markers: ['hf_'], shape: /\bhf_[A-Za-z0-9]{30,}/g },
  {
    name: 'a Stripe key',
    markers: ['k_live_', 'whsec_'],
    shape: /\b[rs]k_live_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9]{24,}/g,
  },
  { name: 'a SendGrid key', markers: ['SG.'], shape: /\bSG\.[\w-]{16,64}\.[\w-]{16,}/g },
  { name: 'a Docker token', markers: ['dckr_'], shape: /\bdckr_(?:pat|oat)_[\w-]{20,}/g },
  {
    name: 'a DigitalOcean token',
    markers: ['dop_v1_', 'doo_v1_', 'dor_v1_'],
    shape: /\bdo[opr]_v1_[a-f0-9]{40,}/g,
  },
  {
    name: 'a Shopify token',
    markers: ['shpat_', 'shpca_', 'shppa_', 'shpss_'],
    shape: /\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}/g,
  },
  { name: 'a Vault token', markers: ['hvs.'], shape: /\bhvs\.[\w-]{24,}/g },
  { name: 'a Databricks token', markers: ['dapi'], shape: /\bdapi[a-f0-9]{32}/g },
  { name: 'a Grafana token', markers: ['glsa_', 'glc_'], shape: /\bglsa_[\w]{32,}|\bglc_[\w=+/]{32,}/g },
  { name: 'a Telegram token', markers: [':AA'], shape: /\b\d{8,10}:AA[\w-]{32,}/g },
  { name: 'a Linear key', markers: ['lin_api_'], shape: /\blin_api_[A-Za-z0-9]{32,}/g },
  { name: 'a signed token', markers: ['eyJ'], shape: /\beyJ[\w-]{10,400}\.[\w-]{10,1000}\.[\w-]{10,}/g },
];

const ANY_TOKEN = new RegExp(TOKEN_SHAPES.map(({ shape }) => shape.source).join('|'), 'g');

/** An HTTP authorisation, as git's http.extraHeader has it. */
const AUTHORIZATION = /\b(authorization|private-token|job-token)([ \t]{0,9}:[ \t]{0,9})[^\r\n]+/gi;

/**
 * The text without user and password in its URLs, without tokens of known shapes and without authorisation headers.
 * A user's name that stands alone stays where it is no secret: `ssh://git@host`.
 */
export function redactCredentials(text: string): string {
  return text
    .replace(URL_USERINFO, (_, scheme: string, userinfo: string) => {
      const user = userinfo.split(':', 1)[0] ?? '';
      const keepsUser =
        /^(?:ssh|git\+ssh|svn\+ssh)$/i.test(scheme) && user !== '' && TOKENS_ONCE.test(user) === false;
      return keepsUser ? `${scheme}://${user}@` : `${scheme}://`;
    })
    .replace(ANY_TOKEN, 'REDACTED')
    .replace(AUTHORIZATION, '$1$2REDACTED');
}

const TOKENS_ONCE = new RegExp(ANY_TOKEN.source);
