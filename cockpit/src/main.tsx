import '@mantine/core/styles.css'
import './tokens.css'
import './styles/shell.css'
import './styles/now.css'
import './styles/content.css'
import './styles/lists.css'
import './styles/rules.css'
import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { queries } from './api.ts'
import './i18n/index.ts'
import { router } from './router.tsx'
import { colours, theme } from './theme.ts'

/** The policy allows only styles that carry it: Mantine asks here, the scroll lock of drawers reads the global. */
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? ''
Object.assign(globalThis, { __webpack_nonce__: nonce })

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={colours} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
)
