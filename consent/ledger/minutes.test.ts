import QRCode from 'qrcode'
import { expect, test } from 'vitest'
import { type MinutesFacts, renderMinutes } from './minutes.ts'

const facts: MinutesFacts = {
  organization: 'Loja <Exemplo> & Filhos',
  cnpj: '12.345.678/0001-95',
  dpo: { name: 'Carla Dias', email: 'dpo@loja.example' },
  timezone: 'America/Sao_Paulo',
  origin: 'hub.loja.example/ledger/0123456789ab',
  size: 1234,
  root: 'ab'.repeat(32),
  at: Date.parse('2026-03-10T12:00:00Z'),
  printedAt: Date.parse('2026-03-10T12:05:00Z'),
  note: 'hub.loja.example/ledger/0123456789ab\n1234\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n\n\u2014 hub AAAA\n',
  verifier: 'hub+00000000+AAAA',
  fingerprint: 'cd'.repeat(32),
  newestEntryAt: Date.parse('2026-03-10T11:59:00Z'),
  simulated: false,
}

test('say in Portuguese what is kept, with the note as text and as a code of the same bytes', async () => {
  const page = await renderMinutes(facts, 'pt')
  expect(page).toContain('<html lang="pt-BR">')
  expect(page).toContain('Ata do livro de consentimento')
  expect(page).toContain('10/03/2026 09:00:00 UTC-03:00')
  expect(page).toContain('Carla Dias')
  expect(page).toContain(facts.note)
  expect(page).toContain(
    (await QRCode.toString(facts.note, { type: 'svg', errorCorrectionLevel: 'M', margin: 4 })).trim(),
  )
  expect(page).not.toContain('<Exemplo>')
  expect(page).not.toContain('SIMULADOS')
  expect(page).not.toMatch(/(?:src|href)=/)
})

test('exist in English, and say when nothing in them is real', async () => {
  const page = await renderMinutes({ ...facts, simulated: true, dpo: undefined, newestEntryAt: null }, 'en')
  expect(page).toContain('<html lang="en">')
  expect(page).toContain('SIMULATED DATA')
  expect(page).toContain('Newest entry</dt><dd>none')
})
