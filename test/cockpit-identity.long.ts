/** Who is who on the person page, in Chromium: seen masked and revealed, and taken apart after its dry run. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { JOINED } from '../core/testing/joined-people.ts'
import {
  type CockpitRig,
  expectAccessible,
  expectGoodInEveryLook,
  expectNoSidewaysScroll,
  PASSWORD,
  picture,
  sizeOf,
  startCockpit,
} from './cockpit-rig.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let rig: CockpitRig
beforeAll(async () => {
  rig = await startCockpit()
})
afterAll(() => rig?.close())

const PATH = `/privacy/person?subject=${JOINED.a}`

test('an auditor sees who is who without values, and is offered no act', async () => {
  await rig.open(await rig.invite('auditor'), { anonymous: true }, async (page) => {
    await page.getByLabel('Seu nome').fill('Nina')
    await page.getByLabel('Seu e-mail').fill('nina@auditoria.example')
    await page.getByLabel('Senha', { exact: true }).fill(PASSWORD)
    await page.getByRole('button', { name: 'Criar acesso e entrar' }).click()
    await page.getByRole('heading', { name: 'Panorama', level: 1 }).waitFor()
    await page.goto(rig.hub.url + PATH)
    await page.getByRole('table', { name: 'Evidências' }).getByText('declarado por login ou alias').waitFor()
    expect(await page.getByRole('button', { name: /^Desfazer a evidência/ }).count()).toBe(0)
    expect(await page.locator('main').textContent()).not.toContain('bia@loja.example')
  })
})

test('values appear with a reason; a hold refuses in words; the dry run is shown, and the act needs a reason', async () => {
  const { hub } = rig
  await rig.open(PATH, {}, async (page) => {
    const nodes = page.getByRole('table', { name: 'Identificadores' })
    await nodes.getByText('••••').first().waitFor()
    await expectGoodInEveryLook(page, 'identity')
    await page.setViewportSize(sizeOf(1280))
    await page.emulateMedia({ colorScheme: 'light' })

    await page.getByRole('button', { name: 'Ver dados de contato' }).click()
    await page.getByRole('dialog').getByLabel('Por que você procura').fill('conferir a carta das irmãs')
    await page.getByRole('dialog').getByRole('button', { name: 'Ver dados de contato' }).click()
    await nodes.getByText('bia@loja.example').waitFor()

    const hold = await hub.run('setHold', {
      subject: JOINED.a,
      ref: '0001234-56.2026.8.26.0100',
      reason: 'Ordem judicial de preservação.',
    })
    expect(hold.ok).toBe(true)
    const undo = page.getByRole('button', { name: /^Desfazer a evidência/ })
    await undo.click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('A pessoa está sob retenção legal').waitFor()
    expect(await dialog.getByRole('button', { name: 'Separar', exact: true }).isDisabled()).toBe(true)
    await expectAccessible(page)
    await picture(page, 'unmerge-refused')
    await dialog.getByRole('button', { name: 'Cancelar' }).click()
    await hub.run('releaseHold', { id: (hold as { value: { id: string } }).value.id, reason: 'Processo encerrado.' })

    await undo.click()
    await dialog.getByText('O que acontece com cada lado').waitFor()
    await dialog.getByText(JOINED.b).waitFor()
    await expectAccessible(page)
    await picture(page, 'unmerge-light-1280')
    await page.setViewportSize(sizeOf(390))
    await page.emulateMedia({ colorScheme: 'dark' })
    await expectAccessible(page)
    await expectNoSidewaysScroll(page)
    await picture(page, 'unmerge-dark-390')
    await page.setViewportSize(sizeOf(1280))
    await page.emulateMedia({ colorScheme: 'light' })
    // Nothing happened by looking.
    expect(await hub.state.db.selectFrom('identity_acts').selectAll().execute()).toEqual([])

    // The browser itself holds a form back whose reason is missing.
    await dialog.getByRole('button', { name: 'Separar', exact: true }).click()
    await dialog.getByLabel('Por que separar').fill('duas irmãs, um computador')
    await dialog.getByRole('button', { name: 'Separar', exact: true }).click()
    await dialog.getByText('Feito. Agora são:').waitFor()
    await dialog.getByRole('button', { name: 'Fechar' }).last().click()
    await page.getByRole('table', { name: 'Evidências' }).getByText('desfeita por alguém da equipe').waitFor()
    await page.getByRole('table', { name: 'Uniões e atos' }).getByText('duas irmãs, um computador').waitFor()
    await picture(page, 'identity-apart')
  })
  const acts = await hub.state.db.selectFrom('identity_acts').select(['kind', 'reason']).execute()
  expect(acts).toEqual([{ kind: 'unmerge', reason: 'duas irmãs, um computador' }])
})
