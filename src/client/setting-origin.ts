/** Where the value of a setting came from. */
export type SettingOrigin =
  | { readonly kind: 'override' | 'config' | 'default' }
  | { readonly kind: 'environment'; readonly variable: string }
  /** `line` counts from 1; null where it cannot be told. */
  | { readonly kind: 'file'; readonly path: string; readonly line: number | null };

/** The origin in words: `SPIRAL__VERIFY`, `~/.spiral.toml:3`. */
export function originText(origin: SettingOrigin): string {
  switch (origin.kind) {
    case 'override':
      return 'an override';
    case 'config':
      return '`config` of the client';
    case 'default':
      return 'default';
    case 'environment':
      return `environment ${origin.variable}`;
    case 'file':
      return origin.line === null ? origin.path : `${origin.path}:${origin.line}`;
  }
}
