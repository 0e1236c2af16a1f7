/** Values that options may take; apart from the settings' schema so that `--help` loads no schema library. */
export const networks = ['none', 'registries', 'ask', 'open'] as const;
export const levels = ['vm', 'container', 'demo'] as const;
