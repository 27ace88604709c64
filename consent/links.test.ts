import { createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type LinkBody, readLink, signLink, stopUrl, whyUrl } from './links.ts'

const key = randomBytes(32)
const body: LinkBody = { kind: 'stop', deliveryId: '01JD', purpose: 'email_marketing', channel: 'email' }

test('what was signed is read back, with this key only', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('stop', 'why' as const),
      fc.string(),
      fc.string({ unit: 'grapheme' }),
      fc.string(),
      (kind, deliveryId, purpose, channel) => {
        const link = { kind, deliveryId, purpose: purpose.toWellFormed(), channel }
        const token = signLink(key, link)
        expect(token).toMatch(/^1\.[\w-]+\.[\w-]+$/)
        expect(readLink(key, token)).toEqual(link)
        expect(readLink(randomBytes(32), token)).toBeUndefined()
      },
    ),
  )
})

test('any changed character makes it worthless, also one that decodes to the same bytes', () => {
  const token = signLink(key, body)
  for (let index = 0; index < token.length; index++) {
    for (const other of ['A', 'B', 'x', '.', '=']) {
      if (token[index] === other) continue
      expect(readLink(key, token.slice(0, index) + other + token.slice(index + 1))).toBeUndefined()
    }
  }
})

test('junk, other versions and other uses of the key are refused', () => {
  for (const junk of [
    '',
    '.',
    '..',
    '1..',
    '1.e30.',
    'x'.repeat(5000),
    signLink(key, body).replace(/^1/, '2'),
    `${signLink(key, body)}.x`,
    `${signLink(key, body)}=`,
  ]) {
    expect(readLink(key, junk)).toBeUndefined()
  }
  const encoded = Buffer.from('["stop","d","p","c"]').toString('base64url')
  expect(
    readLink(key, `1.${encoded}.${createHmac('sha256', key).update(`1.${encoded}`).digest('base64url')}`),
  ).toBeUndefined()
})

test('the addresses hold the token and nothing about the person', () => {
  const token = signLink(key, body)
  expect(stopUrl('https://hub.loja.example', token)).toBe(`https://hub.loja.example/privacidade/parar?t=${token}`)
  expect(whyUrl('https://hub.loja.example', token)).toBe(`https://hub.loja.example/privacidade/por-que?t=${token}`)
  expect(new URL(stopUrl('https://hub.loja.example', token)).searchParams.get('t')).toBe(token)
})
