/** The cockpit as people meet it: real Chromium, the built pages, the hub's own server with a made-up day. All screens: cockpit.long.ts. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { liveLines } from '../core/testing/admin-hub.ts'
import {
  type CockpitRig,
  EMAIL,
  expectAccessible,
  expectNoSidewaysScroll,
  PASSWORD,
  sizeOf,
  startCockpit,
} from './cockpit-rig.ts'

// A whole story in a browser, on a machine that may be busy with the other suites.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let rig: CockpitRig

beforeAll(async () => {
  rig = await startCockpit()
})
afterAll(() => rig?.close())

describe('the first day', () => {
  test('the first link makes an administrator, works once, and leaves them at Agora', async () => {
    const link = await rig.invite('admin')
    await rig.open(link, { anonymous: true }, async (page) => {
      await page.getByLabel('Seu nome').fill('Caio Lima')
      await page.getByLabel('Seu e-mail').fill('caio@loja.example')
      await page.getByLabel('Senha', { exact: true }).fill(PASSWORD)
      await page.getByRole('button', { name: 'Criar acesso e entrar' }).click()
      await page.getByRole('heading', { name: 'Agora', level: 1 }).waitFor()
      expect(new URL(page.url()).hash).toBe('')
      const again = await page.request.post(`${rig.hub.url}/api/setup`, {
        data: { token: link.split('#')[1], name: 'Eva', email: 'eva@loja.example', password: PASSWORD },
      })
      expect(await again.json()).toMatchObject({ error: { code: 'INVITATION_INVALID' } })
    })
  })

  test('log in, watch events, read the strip, re-drive, ask why, log out', async () => {
    await rig.open('/now', { anonymous: true }, async (page) => {
      await page.getByLabel('E-mail').fill(EMAIL)
      await page.getByLabel('Senha', { exact: true }).fill('not the password')
      await page.getByRole('button', { name: 'Entrar' }).click()
      await page.getByRole('alert').getByText('E-mail ou senha não conferem').waitFor()
      await page.getByLabel('Senha', { exact: true }).fill(PASSWORD)
      await page.getByLabel('Senha', { exact: true }).press('Enter')

      await page.getByRole('heading', { name: 'O caminho dos eventos' }).waitFor()
      await page.getByRole('banner').getByText('SIMULADO').waitFor()
      const list = page.getByRole('list', { name: 'Eventos ao vivo' })
      await list.getByText('Product Added').first().waitFor()
      rig.hub.emit({ ...liveLines(Date.now(), 1)[0]!, id: 'evt-fresh', name: 'Fresh One' })
      await list.getByText('Fresh One').waitFor()

      await page.getByRole('button', { name: /^Bloqueadas por consentimento/ }).click()
      await page.getByRole('heading', { name: 'Partes de “Bloqueadas por consentimento”' }).waitFor()
      await page.getByText('BLOCKED_BY_CONSENT').waitFor()

      await page.getByRole('group', { name: /^Eventos por minuto, por fonte/ }).focus()
      await page.keyboard.press('End')
      await page.getByText(/^\d\d:\d\d site \d+ · app \d+$/).waitFor()
      await expectAccessible(page)

      await page.getByRole('navigation').getByRole('link', { name: 'Quarentena' }).click()
      await page.getByRole('button', { name: 'Reenviar q-3' }).click()
      await page.getByText('Reenviado: o evento volta à fila').waitFor()
      await page.getByText('the timestamp lies in 1970').waitFor({ state: 'hidden' })
      expect(rig.hub.ran.filter(({ name }) => name === 'redriveQuarantine').map(({ args }) => args)).toEqual([
        { id: 'q-3' },
      ])

      await page.getByRole('navigation').getByRole('link', { name: 'Entregas' }).click()
      await page.getByLabel('Destino').selectOption('crm')
      const saved = page.waitForEvent('download')
      await page.getByRole('button', { name: 'Baixar CSV' }).click()
      expect((await saved).suggestedFilename()).toMatch(/^entregas-\d{4}-\d\d-\d\d\.csv$/)
      await page.getByText('Arquivo salvo com 62 linhas').waitFor()
      await page.getByRole('link', { name: 'Por quê? Entrega d-delivered' }).click()
      const drawer = page.getByRole('dialog')
      await drawer.getByText('cart.total é pelo menos 5000').waitFor()
      await drawer.getByText('valor: 12.990').waitFor()
      await page.keyboard.press('Escape')

      await page.getByRole('button', { name: 'Sua conta' }).click()
      await page.getByRole('menuitem', { name: 'Sair' }).click()
      await page.getByRole('heading', { name: 'Entrar' }).waitFor()
    })
  })

  test('the encarregado signs the ledger, and her own browser checks the proof', async () => {
    await rig.open('/deliveries?delivery=d-delivered', {}, async (page) => {
      await page.getByRole('link', { name: 'Ver prova no livro' }).click()
      await page.getByText('Pendente de assinatura').waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('navigation').getByRole('link', { name: 'Livro de consentimento' }).click()
      await page.getByText('O livro ainda está vazio').waitFor()
      await page.getByRole('button', { name: 'Numerar e assinar agora' }).click()
      await page.getByText(/^Assinado até a linha \d+\.$/).waitFor()
      await page.getByLabel('Ato', { exact: true }).selectOption('consent.grant')
      await page.getByRole('link', { name: 'Prova da linha entry-1' }).click()
      const drawer = page.getByRole('dialog')
      await drawer.getByText('Provado').waitFor()
      await drawer.getByText('email_marketing: autorizado em').waitFor()
      await drawer.getByRole('button', { name: 'Verificar agora' }).click()
      await drawer.getByText('Válido', { exact: true }).waitFor()
      await expectAccessible(page)
    })
  })

  test('a source, its numbers, and a look at who a re-drive would reach', async () => {
    await rig.open('/connectors', {}, async (page) => {
      await page.getByRole('link', { name: 'Ver a fonte site' }).click()
      await page.getByRole('heading', { name: 'Fonte site' }).waitFor()
      await page.getByText('anuente plan infer site').waitFor()
      await page.getByRole('link', { name: 'Abrir a quarentena' }).click()
      await page.getByRole('button', { name: 'Corrigir e reenviar' }).click()
      await page.getByText('Corrigir os eventos deste filtro').waitFor()
    })
    await rig.open('/deliveries?status=dead', {}, async (page) => {
      await page.getByText('Como as entregas terminaram').waitFor()
      await page.getByRole('button', { name: 'Reenviar falhas' }).click()
      await page.getByRole('button', { name: 'Contar' }).click()
      await page.getByText('a•••@example.com').waitFor()
    })
  })

  test('a version of a rule is tried on the past', async () => {
    await rig.open('/rules?item=carrinho', {}, async (page) => {
      const drawer = page.getByRole('dialog', { name: 'Carrinho abandonado' })
      await drawer.getByRole('button', { name: 'Testar', exact: true }).click()
      await drawer.getByText('920 de 1.840 pessoas').waitFor()
      rig.backtest.goOn()
      await drawer.getByText(/^A regra teria enviado \d+ mensagens a \d+ pessoas/).waitFor()
      await drawer.getByText('já tinha recebido uma mensagem na semana').waitFor()
    })
  })

  test('in English, dark and narrow', async () => {
    await rig.open('/now', { width: 390, scheme: 'dark' }, async (page) => {
      await page.getByRole('heading', { name: 'O caminho dos eventos' }).waitFor()
      await page.getByRole('button', { name: 'Sua conta' }).click()
      await page.getByRole('menuitem', { name: 'English' }).click()
      await page.getByRole('heading', { name: 'The way of the events' }).waitFor()
      expect(await page.locator('html').getAttribute('lang')).toBe('en')
      await page.getByRole('combobox', { name: 'Period' }).selectOption('6h')
      await page.waitForURL(/range=6h/)
      await expectNoSidewaysScroll(page)
      await expectAccessible(page)
      await page.setViewportSize(sizeOf(320))
      await expectNoSidewaysScroll(page)
    })
  })
})

describe('delivery of the pages', () => {
  test('the page is never cached, its hashed files are, and other wrong paths stay JSON', async () => {
    const index = await fetch(`${rig.hub.url}/deliveries`, { headers: { accept: 'text/html' } })
    expect(index.headers.get('cache-control')).toBe('no-store')
    const html = await index.text()
    const nonce = /style-src[^;]*'nonce-([^']+)'/.exec(index.headers.get('content-security-policy')!)![1]!
    expect(html).toContain(`nonce="${nonce}"`)
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(html)![1]!
    const asset = await fetch(`${rig.hub.url}${script}`)
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(asset.headers.get('x-content-type-options')).toBe('nosniff')
    expect(
      (await fetch(`${rig.hub.url}/v1/wrong`, { headers: { accept: '*/*' } })).headers.get('content-type'),
    ).toContain('application/json')
    expect((await fetch(`${rig.hub.url}/assets/..%2f..%2fpackage.json`)).status).toBe(404)
  })
})
