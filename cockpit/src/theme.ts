import { type CSSVariablesResolver, createTheme } from '@mantine/core'

export const theme = createTheme({
  primaryColor: 'petrol',
  primaryShade: { light: 8, dark: 7 },
  colors: {
    petrol: [
      '#e6f5f3',
      '#cfe9e5',
      '#a1d3cc',
      '#7fc9bf',
      '#5fbdb1',
      '#2d9c8e',
      '#1c8276',
      '#126d62',
      '#0b5c55',
      '#054a44',
    ],
  },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace',
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
  headings: { fontWeight: '650' },
})

/** Where Mantine's own greys and reds miss 4.5:1. Set per scheme: Mantine's own values are, and would win. */
const own = {
  '--mantine-color-text': 'var(--ink)',
  '--mantine-color-body': 'var(--card)',
  '--mantine-color-dimmed': 'var(--muted)',
  '--mantine-color-placeholder': 'var(--muted)',
  '--mantine-color-default': 'light-dark(#ffffff, #21302d)',
  '--mantine-color-default-hover': 'light-dark(#eef3f2, #2a3c38)',
  '--mantine-color-default-color': 'var(--ink)',
  '--mantine-color-default-border': 'var(--control-line)',
}
export const colours: CSSVariablesResolver = () => ({
  variables: {},
  light: { ...own, '--mantine-color-error': '#b42318' },
  dark: { ...own, '--mantine-color-error': '#ffa69d' },
})
