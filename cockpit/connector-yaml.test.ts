import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { connectorYaml, secretName, typedSettings } from './src/connector-yaml.ts'

const schemas = { apiKey: { type: 'string', secret: true }, lists: { type: 'array' }, sender: { type: 'string' } }
const form = {
  direction: 'destination' as const,
  connector: 'brevo',
  instance: 'loja-brevo',
  role: 'operator',
  country: 'fr',
  purposes: 'email_marketing, orders',
  notice: '',
  settings: { apiKey: 'xkeysib-secret', lists: '[1, 2]', sender: 'Loja: "a nossa"\n# não', other: '' },
}

test('is YAML that says what the form says, with a reference where a secret was typed', () => {
  const text = connectorYaml(form, schemas)
  expect(text).not.toContain('xkeysib')
  expect(parse(text)).toEqual({
    destinations: {
      'loja-brevo': {
        connector: 'brevo',
        role: 'operator',
        country: 'FR',
        purposes: ['email_marketing', 'orders'],
        settings: { apiKey: '$' + '{secret:LOJA_BREVO_API_KEY}', lists: [1, 2], sender: 'Loja: "a nossa"\n# não' },
      },
    },
  })
  expect(secretName('loja-brevo', 'apiKey')).toBe('LOJA_BREVO_API_KEY')
})

test('a source names its notice; what is no JSON stays what was typed, for the schema to refuse', () => {
  const text = connectorYaml(
    { ...form, direction: 'source', connector: 'segment', notice: 'cookies v3', settings: {} },
    {},
  )
  expect(parse(text)).toEqual({
    sources: { 'loja-brevo': { connector: 'segment', notice: { id: 'cookies', version: 3 } } },
  })
  expect(typedSettings({ lists: '1, 2', sender: '7' }, schemas)).toEqual({ lists: '1, 2', sender: '7' })
})
