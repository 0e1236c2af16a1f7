/** Credentials inside other text: taken out of git's own files before they go into the guest. */

/** `scheme://user:password@` of any URL. The password may hold anything but blanks and slashes. */
const URL_USERINFO = /\b([a-z][a-z0-9+.-]{0,20}):\/\/([^\s/"'<>]{0,2000})@/gi;

/** The shapes of tokens that are recognised by sight. */
const TOKENS =
  /\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|gl(?:pat|ptt|dt|cbt)-[\w-]{16,}|xox[abprs]-[\w-]{10,}|sk-[\w-]{20,}|AKIA[A-Z0-9]{16}|AIza[\w-]{30,}|ATATT[\w=-]{20,}|npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,}|eyJ[\w-]{10,400}\.[\w-]{10,1000}\.[\w-]{10,})/g;

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
    .replace(TOKENS, 'REDACTED')
    .replace(AUTHORIZATION, '$1$2REDACTED');
}

const TOKENS_ONCE = new RegExp(TOKENS.source);
