import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  plugins: [react()],
  // The hub puts the nonce of each answer's Content-Security-Policy in the place of this mark.
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    outDir: fileURLToPath(new URL('../dist/cockpit', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    // light-dark() must stay as it is: its fallback cannot see the scheme that Mantine sets.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // Inlined assets would be data: URLs, which the policy allows for images only.
    assetsInlineLimit: 0,
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8377', '/live': 'http://127.0.0.1:8377' } },
})
