/** A rule from its text to everybody, in Chromium: edited, tried on the past, sent to oneself, published in steps. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import {
  type CockpitRig,
  EMAIL,
  expectAccessible,
  expectGoodInEveryLook,
  expectNoSidewaysScroll,
  PASSWORD,
  picture,
  sizeOf,
  startCockpit,
} from './cockpit-rig.ts'

// Dozens of looks of whole pages.
vi.setConfig({ testTimeout: 480_000, hookTimeout: 120_000 })

let rig: CockpitRig
beforeAll(async () => {
  rig = await startCockpit()
})
afterAll(() => rig?.close())

const sentTo = () => rig.hub.ran.filter(({ name }) => name === 'publishRule').map(({ args }) => args)

test('edit, backtest, send to me, 1 %, 10 %, 100 %', async () => {
  await rig.open('/rules?item=carrinho', {}, async (page) => {
    const drawer = page.getByRole('dialog', { name: 'Carrinho abandonado' })
    const way = drawer.getByRole('navigation', { name: 'Passos da v3 até todas as pessoas' })
    await way.locator('[aria-current="step"]', { hasText: 'Sombra' }).waitFor()
    // A version that a part of people get may be tried on them alone.
    await drawer.getByLabel('Versão').selectOption('2')
    await drawer.getByLabel('Com quem').selectOption({ label: 'Como está: 10% das pessoas' })
    await drawer.getByLabel('Versão').selectOption('3')
    await drawer.getByLabel('Com quem').waitFor({ state: 'hidden' })
    await way.getByRole('button', { name: 'Editar' }).click()

    // A mistake is marked at its line, and nothing is tried with it.
    const adding = page.getByRole('dialog', { name: 'Acrescentar em YAML' })
    const editor = adding.getByLabel('Regra em YAML')
    const yaml = await editor.inputValue()
    const line = yaml.split('\n').indexOf('unless:') + 1
    await editor.fill(yaml.replace('\nunless:\n', '\nunles:\n'))
    await adding.getByRole('button', { name: 'Testar', exact: true }).click()
    await adding.getByRole('button', { name: `Ir à linha ${line}, coluna 1` }).waitFor()
    await adding.getByText('a palavra "unles" não existe na regra: seria unless?').waitFor()
    expect(await adding.locator('.yaml-lines [data-wrong]').allTextContents()).toContain(String(line))
    await expectGoodInEveryLook(page, 'rule-editor-mistake')
    await page.setViewportSize(sizeOf(1280))
    await page.emulateMedia({ colorScheme: 'light' })

    // Half-way, cancelled; once more, to its end.
    await editor.fill(yaml)
    await adding.getByRole('button', { name: 'Testar', exact: true }).click()
    await adding.getByText('920 de 1.840 pessoas').waitFor()
    expect(await adding.getByRole('progressbar', { name: 'Testando no histórico' }).getAttribute('value')).toBe('920')
    await expectAccessible(page)
    await picture(page, 'backtest-running')
    await adding.getByRole('button', { name: 'Cancelar o teste' }).click()
    await adding.getByText(/^Cancelado em /).waitFor()
    await adding.getByLabel('Período').selectOption('7')
    await adding.getByRole('button', { name: 'Testar', exact: true }).click()
    rig.backtest.goOn()
    await adding.getByText(/^A regra teria enviado \d+ mensagens a \d+ pessoas/).waitFor()
    await expectAccessible(page)
    await picture(page, 'rule-editor-backtest')
    await editor.press('End')
    await editor.pressSequentially(' ')
    await adding.getByText('O texto mudou depois deste teste: teste de novo.').waitFor()
    await editor.fill(yaml)
    await adding.getByLabel('Por quê').fill('Esperar menos')
    await adding.getByRole('button', { name: 'Acrescentar', exact: true }).click()
    await adding.getByRole('button', { name: 'Abrir a regra' }).click()

    const next = drawer.getByRole('navigation', { name: 'Passos da v4 até todas as pessoas' })
    await next.locator('[aria-current="step"]', { hasText: 'Editar' }).waitFor()
    await next.getByRole('button', { name: 'Enviar para mim' }).click()
    const publishing = page.getByRole('dialog', { name: 'Publicar Carrinho abandonado' })
    expect(await publishing.getByLabel('Destinatários de teste').inputValue()).toBe(EMAIL)
    await publishing.getByLabel('Por quê').fill('prova do texto')
    await publishing.getByRole('button', { name: 'Publicar' }).click()
    await drawer.getByText('Só os destinatários de teste recebem.').waitFor()
    for (const [step, share, says] of [
      ['1%', 0.01, 'Vale para 1% das pessoas.'],
      ['10%', 0.1, 'Vale para uma parte das pessoas.'],
      ['100%', 1, 'Vale para todas as pessoas que a regra alcança.'],
    ] as const) {
      await next.getByRole('button', { name: step, exact: true }).click()
      await publishing.getByLabel('Por quê').fill(`sem reclamações, ${step}`)
      await publishing.getByRole('button', { name: 'Publicar' }).click()
      await drawer.getByText(says).waitFor()
      expect(sentTo().at(-1)).toMatchObject({ rule: 'carrinho', version: 4, stage: 'live', share })
    }
    expect(sentTo()[0]).toMatchObject({ version: 4, stage: 'test', recipients: [{ email: EMAIL }] })
  })
})

test('a version is tried on the past: chart, table, people with their why; the shadow beside it', async () => {
  await rig.open('/rules?item=carrinho', {}, async (page) => {
    const drawer = page.getByRole('dialog', { name: 'Carrinho abandonado' })
    await drawer.getByRole('button', { name: 'Testar no passado' }).click()
    await drawer.getByLabel('Versão').selectOption('3')
    await drawer.getByLabel('Período').selectOption('days')
    const day = (back: number) => new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10)
    await drawer.getByLabel('De', { exact: true }).fill(day(20))
    await drawer.getByLabel('Até', { exact: true }).fill(day(1))
    await drawer.getByRole('button', { name: 'Testar', exact: true }).click()
    rig.backtest.goOn()
    const chart = drawer.getByRole('group', { name: 'Por dia' })
    await chart.focus()
    await page.keyboard.press('End')
    await drawer.getByText(/^\d\d\/\d\d Casos \d+ · Envios \d+ · Controle \d+ · Barrados \d+$/).waitFor()
    await drawer.getByText('Ver como tabela').click()
    await drawer.getByRole('columnheader', { name: 'Barrados' }).waitFor()
    const stops = drawer.getByRole('table', { name: 'O que barrou' })
    await stops.getByText('Regra nem consultada: a finalidade da regra não coleta este evento').waitFor()
    expect(await stops.getByRole('row').count()).toBe(4)
    await drawer.getByRole('table', { name: 'Envios por canal' }).getByText('WhatsApp').waitFor()
    await drawer.getByText('de fora: retirou a autorização').waitFor()
    await drawer.getByText('212 pessoas · 318 envios').waitFor()
    await drawer.getByText('Aproximado: esperas e agendas').waitFor()
    const sample = drawer.getByRole('listitem').filter({ hasText: 'já tinha recebido uma mensagem na semana' })
    await sample.getByText('Por quê').click()
    await sample.getByText('valor: 129,9').waitFor()
    await expectGoodInEveryLook(page, 'rule-backtest')
    await expectNoSidewaysScroll(page)
    // Whoever comes back finds it there.
    await page.reload()
    await drawer.getByLabel('Versão').selectOption('3')
    await drawer.getByText(/^A regra teria enviado \d+ mensagens/).waitFor()
  })
})

test('somebody else’s backtest stands in the way and says so; an auditor reads and starts nothing; in English', async () => {
  const marketing = await rig.hub.run('createToken', { name: 'm', role: 'marketing' })
  const { value } = (marketing as { value: { value: string } }).value
  await fetch(`${rig.hub.url}/api/backtests`, {
    method: 'POST',
    headers: { authorization: `Bearer ${value}`, 'content-type': 'application/json' },
    body: JSON.stringify({ rule: 'novidades@1' }),
  })
  await rig.open('/rules?item=carrinho', {}, async (page) => {
    const drawer = page.getByRole('dialog', { name: 'Carrinho abandonado' })
    await drawer.getByText('Outro teste está em andamento; um de cada vez.').waitFor()
    await drawer.getByRole('button', { name: 'Testar', exact: true }).click()
    await drawer.getByRole('alert').getByText('Outro teste está em andamento').waitFor()
    await picture(page, 'backtest-busy')
    await drawer.getByRole('button', { name: 'Cancelar o teste' }).click()
    await drawer.getByRole('progressbar').waitFor({ state: 'hidden' })
    expect(await drawer.getByText('Outro teste está em andamento').count()).toBe(0)
  })
  await rig.open(await rig.invite('auditor'), { anonymous: true, language: 'en' }, async (page) => {
    await page.getByLabel('Your name').fill('Nina')
    await page.getByLabel('Your e-mail').fill('nina@auditoria.example')
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await page.getByRole('button', { name: 'Create access and log in' }).click()
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.goto(`${rig.hub.url}/rules?item=carrinho`)
    const drawer = page.getByRole('dialog', { name: 'Abandoned cart' })
    await drawer.getByLabel('Version', { exact: true }).selectOption('3')
    await drawer.getByText(/^The rule would have sent \d+ messages/).waitFor()
    await drawer.getByText('left out: withdrew').waitFor()
    expect(await drawer.getByRole('button', { name: 'Run the backtest' }).count()).toBe(0)
    expect(await drawer.getByRole('navigation').count()).toBe(0)
    await picture(page, 'backtest-english')
  })
})
