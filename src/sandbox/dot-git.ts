/**
 * Names that some git takes for `.git`: in any case, with ignorable characters or trailing dots and spaces (as HFS+ and NTFS
 * see them), or as the short name `git~1`. See CVE-2014-9390 and CVE-2019-1353.
 */
export function isGitName(name: string): boolean {
  const bare = name
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .normalize('NFKC')
    .toLowerCase();
  return /^(\.git|git~\d+)[ .]*(:.*)?$/.test(bare);
}
