/** Rules on lines that run something, or that switch a check off. */

import { isTest } from './changes.ts';
import type { TextFacts } from './facts.ts';
import type { TextRule } from './rule.ts';

const DOWNLOADED =
  /\b(?:curl|wget|iwr|irm|Invoke-WebRequest|Invoke-RestMethod)\b[^\n|]{0,200}\|\s{0,9}(?:sudo\s{1,9}(?:-\w{1,9}\s{1,9})?)?(?:env\s{1,9})?(?:(?:ba|z|da|k|a)?sh|python[\d.]{0,5}|node|perl|ruby|php|iex|Invoke-Expression)\b/i;
const SUBSTITUTED =
  /\b(?:ba|z|da)?sh\s{1,9}(?:-c\s{1,9})?["']?(?:<\(|\$\(|`)\s{0,9}(?:curl|wget)\b|\b(?:eval|source)\s{1,9}["']?(?:<\(|\$\(|`)\s{0,9}(?:curl|wget)\b|\biex\s{0,9}\(?[^\n]{0,80}DownloadString/i;
const VIM =
  /\b(?:vim?|ex)(?:[<=>]?\d{1,4})?:[^\n]{0,100}\b(?:\w{0,9}expr|fde|fex|inex|makeprg|mp|grepprg|kp|keywordprg|shell|sh|rtp|runtimepath)=/;
const EMACS =
  /-\*-[^\n]{0,200}\b(?:eval|compile-command)\s{0,9}:|^[^\n]{0,40}\b(?:eval|compile-command):[^\n]{0,200}$/m;
const SKIPPED =
  /\b(?:x(?:it|describe|test|context)|f(?:it|describe|context))\s?\(\s?['"`]|\b(?:it|test|describe|context|suite)(?:\.\w{1,20})?\.(?:skip|only|todo|fixme)\b|@(?:Disabled|Ignore|Skip)\b|@(?:pytest\.mark\.(?:skip|xfail)|unittest\.(?:skip|expectedFailure))|\bpytest\.skip\(|\bt\.Skip(?:Now|f)?\(|#\[ignore|\bmarkTestSkipped\(|\bpending\s?['"(]|\[(?:Fact|Theory)\(Skip\b|XCTSkip\b/;
const FAILS_QUIETLY =
  /\|\|\s{0,9}(?:true\b|:(?:\s|$|"))|\bcontinue-on-error:\s{0,9}true|\ballow_failure:\s{0,9}true|\bset \+e\b|--no-verify\b|--passWithNoTests\b|\bignore_errors:\s{0,9}(?:true|yes)|\bskip_?[Tt]ests?\s{0,9}[:=]\s{0,9}true|-DskipTests\b|\bHUSKY(?:_SKIP_HOOKS)?=[01]\b|core\.hooksPath\s{0,9}[= ]\s{0,9}\/dev\/null/m;
const UNCHECKED =
  /\brejectUnauthorized['"]?\s{0,9}:\s{0,9}false|NODE_TLS_REJECT_UNAUTHORIZED['"]?\s{0,9}[=:\]]{1,2}\s{0,9}['"]?0|\bverify\s{0,9}=\s{0,9}False\b|\bInsecureSkipVerify:\s{0,9}true|\bcurl(?=\s)[^\n]{0,80}(?:\s-[A-Za-jl-z]{0,9}k|\s--insecure\b)|\bstrict-ssl\s{0,9}=\s{0,9}false|\bsslverify\s{0,9}=\s{0,9}false|\bVERIFY_NONE\b|--no-check-certificate\b|--trusted-host\b/i;

export const COMMANDS: readonly TextRule<TextFacts>[] = [
  {
    id: 'download-and-run',
    severity: 'runs',
    reason: 'downloads something and runs it',
    markers: ['curl', 'wget', 'iwr ', 'irm ', 'nvoke-', 'ownloadString'],
    find: ({ added }) => DOWNLOADED.test(added) || SUBSTITUTED.test(added),
    matches: [
      'curl -fsSL https://x.test/i.sh | sh',
      'wget -qO- x.test | sudo -E bash',
      'bash <(curl -s https://x.test)',
      'eval "$(curl https://x.test)"',
      'irm https://x.test/a.ps1 | iex',
    ],
    not: ['curl -o file https://x.test', 'curl x | jq .', 'fetch(url).then(f)', 'const fetchShell = a | b'],
  },
  {
    id: 'go-generate',
    severity: 'runs',
    reason: 'go generate: a command in a comment',
    markers: ['go:generate'],
    find: ({ added }) => /^\/\/go:generate\s/m.test(added),
    matches: ['package a\n//go:generate sh -c evil\n'],
    not: ['// see go:generate', 'x := "//go:generate "'],
  },
  {
    id: 'hooks-path',
    severity: 'runs',
    reason: 'sets where git looks for hooks, or a command that git runs',
    markers: [
      'ooksPath',
      'ookspath',
      'OOKSPATH',
      'fsmonitor',
      'sshCommand',
      'GIT_SSH',
      'ext::',
      'simple-git-hooks',
    ],
    find: ({ added }) =>
      /\bhooksPath\b|\bcore\.(?:fsmonitor|sshCommand)\b|\bGIT_SSH_COMMAND\b|['"\s=]ext::|"simple-git-hooks"/i.test(
        added,
      ),
    matches: [
      'git config core.hooksPath .x',
      '[core]\n\thooksPath = a',
      'git clone ext::sh',
      '"simple-git-hooks": {}',
    ],
    not: ['text::bold', 'const hook = path'],
  },
  {
    id: 'modeline',
    severity: 'runs',
    reason: 'editor modeline that evaluates something',
    markers: ['vim:', 'vi:', ' ex:', '-*-', 'Local Variables:'],
    find: ({ added }) =>
      VIM.test(added) ||
      (added.includes('-*-') && EMACS.test(added)) ||
      (added.includes('Local Variables:') && EMACS.test(added)),
    matches: [
      '# vim: set fde=system("x"):',
      '/* -*- eval: (shell-command "x") -*- */',
      '# Local Variables:\n# eval: (x)\n# End:',
    ],
    not: ['# vim: set ts=4 sw=4 et:', '# -*- coding: utf-8 -*-', 'index: a', 'eval: x'],
  },
  {
    id: 'test-skipped',
    severity: 'weakens',
    reason: 'a test is skipped or switched off',
    find: ({ change, added }) => isTest(change.path) && SKIPPED.test(added),
    matches: [
      { path: 'test/a.test.ts', after: "it.skip('works', f)" },
      { path: 'src/a.spec.ts', after: "xdescribe('x', f)" },
      { path: 'tests/test_a.py', after: '@pytest.mark.skip\n' },
      { path: 'a_test.go', after: '\tt.Skip("later")' },
      { path: 'src/test/FooTest.java', after: '@Disabled' },
      { path: 'test/b.test.ts', after: "describe.only('x', f)" },
    ],
    not: [
      { path: 'test/a.test.ts', after: "it('skips', f)" },
      { path: 'src/skip.ts', after: 'it.skip' },
      { path: 'test/a.test.ts', before: 'it.skip(a)\n', after: 'it.skip(a)\nit(b)\n' },
    ],
  },
  {
    id: 'fails-quietly',
    severity: 'weakens',
    reason: 'a failure would pass unnoticed',
    find: ({ added, path }) => RUNS_CHECKS.test(path) && FAILS_QUIETLY.test(added),
    matches: [
      { path: '.github/workflows/ci.yml', after: '- run: npm test || true' },
      { path: 'package.json', after: '{"scripts":{"test":"vitest || :"}}' },
      { path: 'Makefile', after: 'test:\n\tgo test || true' },
      { path: '.gitlab-ci.yml', after: 'allow_failure: true' },
    ],
    not: [
      { path: 'src/a.ts', after: 'return a || true;' },
      { path: '.github/workflows/ci.yml', after: '- run: npm test' },
    ],
  },
  {
    id: 'unchecked-tls',
    severity: 'weakens',
    reason: 'switches off the check of certificates',
    markers: [
      'ejectUnauthorized',
      'REJECT_UNAUTHORIZED',
      'erify',
      'ERIFY_NONE',
      'nsecure',
      'strict-ssl',
      'curl',
      '--no-check-cert',
      '--trusted-host',
    ],
    find: ({ added }) => UNCHECKED.test(added),
    matches: [
      '{ rejectUnauthorized: false }',
      'requests.get(u, verify=False)',
      'NODE_TLS_REJECT_UNAUTHORIZED=0',
      'curl -sk https://x',
      'strict-ssl=false',
    ],
    not: ['rejectUnauthorized: true', 'verify(x)', 'curl -s https://x'],
  },
];

const RUNS_CHECKS =
  /(?:^|\/)(?:\.github|\.gitlab|\.circleci|\.buildkite|\.woodpecker|\.husky|\.githooks)\/|(?:^|\/)(?:package\.json|makefile[^/]*|gnumakefile|justfile|rakefile|jenkinsfile[^/]*|tox\.ini|noxfile\.py|pom\.xml)$|\.(?:sh|bash|zsh|mk)$|(?:^|\/)[^/]*(?:-ci|pipelines|travis|drone|appveyor|compose|taskfile|lefthook|pre-commit-config)[^/]*\.ya?ml$/;
