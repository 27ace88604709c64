import { Type } from 'typebox'
import { expect, test } from 'vitest'
import { hideSecrets } from './hide-secrets.ts'

const secret = (options = {}) => Type.String({ secret: true, ...options })
const schema = Type.Object({
  user: Type.String(),
  password: secret(),
  auth: Type.Object({ basic: Type.Object({ user: Type.String(), password: secret() }) }),
  headers: Type.Record(Type.String({ pattern: '^[a-z-]+$' }), secret()),
})
const settings = {
  user: 'loja',
  password: 'pä"ss wörd+1',
  auth: { basic: { user: 'api', password: 'zubrowka-9' } },
  headers: { 'x-api': 'key-0123456789' },
}
const basic = (user: string, password: string) => Buffer.from(`${user}:${password}`).toString('base64')

test('a credential is hidden in every spelling and place, also inside nested settings', () => {
  const request = {
    method: 'POST',
    url: `https://x.example/?p=${encodeURIComponent(settings.password)}&q=ok`,
    headers: {
      authorization: `Basic ${basic('loja', settings.password)}`,
      'x-forwarded-auth': `Basic ${basic('api', 'zubrowka-9')}`,
      'x-url-safe': Buffer.from(`u:${settings.password}`).toString('base64url'),
      'x-api': 'key-0123456789',
      'content-type': 'application/json',
    },
    body: { token: basic('loja', settings.password), nested: [settings.password], order: 'A-12345678' },
  }
  const shown = hideSecrets(request, { schema, settings })
  expect(shown).toEqual({
    method: 'POST',
    url: 'https://x.example/?p=•••&q=ok',
    headers: {
      authorization: 'Basic •••',
      'x-forwarded-auth': 'Basic •••',
      'x-url-safe': '•••',
      'x-api': '•••',
      'content-type': 'application/json',
    },
    body: { token: '•••', nested: ['•••'], order: 'A-12345678' },
  })
})

test('what the case itself brought is its own', () => {
  const own = { password: settings.password, auth: settings.auth, headers: settings.headers }
  const request = { headers: { authorization: `Basic ${basic('loja', settings.password)}` } }
  expect(hideSecrets(request, { schema, settings, own })).toEqual(request)
})
