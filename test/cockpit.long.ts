/** Every screen of the cockpit, in real Chromium: both themes, both widths, and what is rarely done. `npm run test:long`. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { liveLines, startAdminHub } from '../core/testing/admin-hub.ts'
import {
  type CockpitRig,
  EMAIL,
  expectAccessible,
  expectGoodInEveryLook,
  expectNoSidewaysScroll,
  type Look,
  PASSWORD,
  picture,
  startCockpit,
} from './cockpit-rig.ts'

// A whole story in a browser, on a machine that may be busy with the other suites.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let rig: CockpitRig
let hub: CockpitRig['hub']
let cockpitDir: string

beforeAll(async () => {
  rig = await startCockpit()
  ;({ hub, cockpitDir } = rig)
})
afterAll(() => rig?.close())

const open = (path: string, look: Look, work: (page: Page) => Promise<void>) => rig.open(path, look, work)

describe('getting in', () => {
  test('the first link makes an administrator, and lands on Agora', async () => {
    const setupUrl = await rig.invite('admin')
    await open(setupUrl, { anonymous: true }, async (page) => {
      await page.getByLabel('Seu nome').fill('Caio Lima')
      await page.getByLabel('Seu e-mail').fill('caio@loja.example')
      await page.getByLabel('Senha', { exact: true }).fill(PASSWORD)
      await expectAccessible(page)
      await picture(page, 'setup')
      await page.getByRole('button', { name: 'Criar acesso e entrar' }).click()
      await page.getByRole('heading', { name: 'Agora', level: 1 }).waitFor()
      expect(new URL(page.url()).hash).toBe('')
    })
    await open(setupUrl, { anonymous: true }, async (page) => {
      await page.getByLabel('Seu nome').fill('Eva')
      await page.getByLabel('Seu e-mail').fill('eva@loja.example')
      await page.getByLabel('Senha', { exact: true }).fill(PASSWORD)
      await page.getByRole('button', { name: 'Criar acesso e entrar' }).click()
      await page.getByRole('alert').getByText('Este link já foi usado ou venceu').waitFor()
    })
  })

  test('a stranger is sent to the log-in page and, once in, to where they wanted to go', async () => {
    await open('/deliveries?status=dead', { anonymous: true }, async (page) => {
      await page.getByLabel('E-mail').fill(EMAIL)
      await page.getByLabel('Senha', { exact: true }).fill('not the password')
      await page.getByRole('button', { name: 'Entrar' }).click()
      await page.getByRole('alert').getByText('E-mail ou senha não conferem').waitFor()
      await expectAccessible(page)
      await picture(page, 'login')
      await page.getByLabel('Senha', { exact: true }).fill(PASSWORD)
      await page.getByLabel('Senha', { exact: true }).press('Enter')
      await page.getByRole('heading', { name: 'Entregas', level: 1 }).waitFor()
      expect(new URL(page.url()).searchParams.get('status')).toBe('dead')
    })
  })
})

describe('every screen, light and dark, wide and narrow', () => {
  const SCREENS: readonly [name: string, path: string, ready: string][] = [
    ['now', '/now', 'O caminho dos eventos'],
    ['now-event', '/now?line=evt-cart', 'email_marketing'],
    ['now-delivery', '/now?line=d-held-out&step=failed', 'Nada saiu: a pessoa está no grupo de controle.'],
    ['deliveries', '/deliveries', 'Mostrar mais'],
    ['why', '/deliveries?status=dead&delivery=d-delivered', 'cart.total é pelo menos 5000'],
    ['quarantine', '/quarantine', 'properties must be an object'],
    ['rules', '/rules', '10% das pessoas'],
    ['rule', '/rules?item=carrinho', 'Comparação da sombra'],
    ['audiences', '/audiences', 'Carrinhos grandes'],
    ['audience', '/audiences?item=big_carts', 'cart.total é pelo menos'],
    ['connectors', '/connectors', 'Conector não instalado'],
    ['settings', '/settings', 'Atalhos de teclado'],
    ['users', '/settings?tab=users', EMAIL],
    ['tokens', '/settings?tab=tokens', 'Nova chave'],
    ['ledger', '/privacy/ledger', 'Última assinatura'],
    ['purposes', '/privacy/purposes', 'Ofertas por e-mail'],
    ['flows', '/privacy/flows', 'Finalidades × destinos'],
    ['overview', '/privacy', 'Revogações até cada ferramenta'],
    ['requests', '/privacy/requests', 'Nenhum pedido aberto'],
    ['retention', '/privacy/retention', 'Histórico de eventos'],
    ['incidents', '/privacy/incidents', 'Nenhum incidente registrado'],
    ['audit', '/privacy/audit', 'Quem olhou dados de quem'],
    ['missing', '/nowhere', 'Página não encontrada'],
  ]
  test.each(SCREENS)(
    '%s',
    async (name, path, ready) => {
      await open(path, {}, async (page) => {
        await page.getByText(ready).first().waitFor()
        await expectGoodInEveryLook(page, name)
      })
    },
    180_000,
  )

  test('says in words that everything is simulated, and in which zone times are', async () => {
    await open('/now', {}, async (page) => {
      await page.getByRole('banner').getByText('SIMULADO').waitFor()
      await page.getByText('Horários em America/Sao_Paulo').waitFor()
    })
  })

  test('reflows at 320 pixels', async () => {
    await open('/now', { width: 320 }, async (page) => {
      await page.getByText('O caminho dos eventos').waitFor()
      await expectNoSidewaysScroll(page)
    })
  })
})

describe('Agora', () => {
  test('a step opens its parts, and the address keeps it and the period', async () => {
    await open('/now', {}, async (page) => {
      await page.getByRole('button', { name: /^Falharam/ }).click()
      await page.getByRole('heading', { name: 'Partes de “Falharam”' }).waitFor()
      await page.getByText('Todas as tentativas falharam').first().waitFor()
      await page.getByRole('combobox', { name: 'Período' }).selectOption('6h')
      await page.waitForURL(/range=6h/)
      await page.reload()
      await page.getByRole('heading', { name: 'Partes de “Falharam”' }).waitFor()
      expect(await page.getByRole('combobox', { name: 'Período' }).inputValue()).toBe('6h')
      await page.getByRole('link', { name: 'Entregas', exact: true }).click()
      await page.waitForURL(/\/deliveries\?range=6h/)
    })
  })

  test('new lines wait while paused or read, and show on request', async () => {
    await open('/now', {}, async (page) => {
      const list = page.getByRole('list', { name: 'Eventos ao vivo' })
      await list.getByText('Product Added').first().waitFor()
      await page.getByRole('button', { name: 'Pausar' }).click()
      hub.emit(
        { ...liveLines(Date.now(), 1)[0]!, id: 'evt-fresh-1', name: 'Fresh One' },
        { ...liveLines(Date.now(), 1)[0]!, id: 'evt-fresh-2', name: 'Fresh Two' },
      )
      await page.getByRole('button', { name: '2 novos – mostrar' }).waitFor()
      expect(await list.getByText('Fresh One').count()).toBe(0)
      await page.getByRole('button', { name: '2 novos – mostrar' }).click()
      await list.getByText('Fresh Two').waitFor()
      await page.getByRole('button', { name: 'Continuar' }).click()
      await page.getByRole('heading', { name: 'Agora', level: 1 }).hover()
      hub.emit({ ...liveLines(Date.now(), 1)[0]!, id: 'evt-fresh-3', name: 'Fresh Three' })
      await list.getByText('Fresh Three').waitFor()
      await list.hover()
      hub.emit({ ...liveLines(Date.now(), 1)[0]!, id: 'evt-fresh-4', name: 'Fresh Four' })
      await page.getByRole('button', { name: '1 novo – mostrar' }).waitFor()
      expect(await list.getByText('Fresh Four').count()).toBe(0)
    })
  })

  test('a dropped event says that only a count is left; a kept one leads to its deliveries and their reason', async () => {
    await open('/now', {}, async (page) => {
      await page
        .getByRole('button', { name: /Carrinho/ })
        .last()
        .click()
      await page.getByText('Deste evento só ficou a contagem').waitFor()
      await page.goto(`${hub.url}/now?line=evt-cart`)
      const detail = page.getByRole('region', { name: 'Detalhes' })
      await detail.getByText('R$ 129,90').waitFor()
      await detail.getByRole('link', { name: 'Por quê? Entrega d-delivered' }).click()
      const drawer = page.getByRole('dialog')
      await drawer.getByText('cart.total é pelo menos 5000').waitFor()
      await drawer.getByText('valor: 12.990').waitFor()
      await drawer.getByText('Registro entry-1').waitFor()
      await page.keyboard.press('Escape')
      await drawer.waitFor({ state: 'hidden' })
      expect(page.url()).not.toContain('delivery=')
    })
  })

  test('by keyboard: go elsewhere, list the keys, pause; and keys can be turned off', async () => {
    await open('/now', {}, async (page) => {
      await page.getByText('O caminho dos eventos').waitFor()
      await page.keyboard.press(' ')
      await page.getByText('Pausado').waitFor()
      await page.keyboard.press('?')
      await page.getByRole('dialog').getByText('Ir para Quarentena').waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'hidden' })
      await page.keyboard.press('g')
      await page.keyboard.press('q')
      await page.getByRole('heading', { name: 'Quarentena', level: 1 }).waitFor()
      await page.goto(`${hub.url}/settings`)
      await page.getByRole('switch', { name: 'Usar atalhos de teclado' }).focus()
      await page.keyboard.press('Space')
      await page.getByRole('heading', { name: 'Configurações', level: 1 }).click()
      await page.keyboard.press('?')
      await page.keyboard.press('g')
      await page.keyboard.press('a')
      await page.getByRole('heading', { name: 'Configurações', level: 1 }).waitFor()
      expect(await page.getByRole('dialog').count()).toBe(0)
    })
  })

  test('an empty hub says what, why and what next', async () => {
    const empty = await startAdminHub({ cockpitDir, config: { simulated: false } })
    try {
      const made = (await empty.run('createFirstInvitation')) as { value: { token: string } }
      await open(`${empty.url}/setup#${made.value.token}`, { anonymous: true }, async (page) => {
        await page.getByLabel('Seu nome').fill('Bia')
        await page.getByLabel('Seu e-mail').fill('bia@loja.example')
        await page.getByLabel('Senha', { exact: true }).fill(PASSWORD)
        await page.getByRole('button', { name: 'Criar acesso e entrar' }).click()
        await page.getByText('Nenhum evento ainda').waitFor()
        await page.getByRole('banner').getByText('PRODUÇÃO').waitFor()
        await expectAccessible(page)
        await picture(page, 'empty')
        await page.getByRole('link', { name: 'Quarentena' }).click()
        await page.getByText('Nada em quarentena').waitFor()
        await page.getByRole('link', { name: 'Entregas' }).click()
        await page.getByText('Nenhuma entrega com estes filtros').waitFor()
      })
    } finally {
      await empty.close()
    }
  })

  test('when the hub fails, the page tells the code and what to do, and tries again', async () => {
    await open('/settings', {}, async (page) => {
      await page.route('**/api/pipeline*', (route) =>
        route.fulfill({
          status: 500,
          contentType: 'application/json',
          body: '{"error":{"code":"INTERNAL","message":"x"}}',
        }),
      )
      await page.getByRole('link', { name: 'Agora' }).click()
      await page.getByText('O hub falhou neste pedido').waitFor()
      await page.getByText('Código: INTERNAL').waitFor()
      await page.unroute('**/api/pipeline*')
      await page.getByRole('button', { name: 'Tentar de novo' }).click()
      await page.getByText('O caminho dos eventos').waitFor()
    })
  })
})

describe('the other areas', () => {
  test('deliveries: filter, next page, count before a re-drive', async () => {
    await open('/deliveries', {}, async (page) => {
      await page.getByRole('button', { name: 'Mostrar mais' }).click()
      await page.getByRole('button', { name: 'Mostrar mais' }).waitFor({ state: 'hidden' })
      expect(await page.locator('table').last().locator('tbody tr').count()).toBe(65)
      await page.getByLabel('Situação').selectOption('dead')
      await page.waitForURL(/status=dead/)
      await page.getByText('Todas as tentativas falharam').waitFor()
      expect(await page.locator('table').last().locator('tbody tr').count()).toBe(1)
      await page.getByRole('button', { name: 'Reenviar falhas' }).click()
      await page.getByRole('button', { name: 'Contar' }).click()
      await page.getByText('Resultado da contagem').waitFor()
      expect(hub.ran.filter(({ name }) => name === 'redriveDeliveries').map(({ args }) => args['dryRun'])).toEqual([
        true,
      ])
      await page.getByRole('button', { name: 'Reenviar agora' }).click()
      await page.getByText('Reenvio pedido').waitFor()
      expect(hub.ran.filter(({ name }) => name === 'redriveDeliveries').at(-1)!.args).toEqual({
        filter: { status: 'dead' },
        dryRun: false,
      })
    })
  })

  test('quarantine: re-drive at once, dismiss only after a question', async () => {
    await open('/quarantine', {}, async (page) => {
      await page.getByRole('button', { name: 'Reenviar q-3' }).click()
      await page.getByText('Reenviado: o evento volta à fila').waitFor()
      await page.getByText('the timestamp lies in 1970').waitFor({ state: 'hidden' })
      await page.getByRole('button', { name: 'Descartar q-2' }).click()
      expect(hub.ran.some(({ name }) => name === 'dismissQuarantine')).toBe(false)
      await page.getByRole('dialog').getByRole('button', { name: 'Descartar' }).click()
      await page.getByText('the event names nobody').waitFor({ state: 'hidden' })
      await page.getByLabel('Mostrar').selectOption('all')
      await page.getByText('descartado', { exact: true }).waitFor()
    })
  })

  test('rules: what changed, a mistake at its line, publish with a reason, stop everything', async () => {
    await open('/rules', {}, async (page) => {
      const row = page.getByRole('row', { name: /carrinho/ }).first()
      await row.getByText('v3: sombra').waitFor()
      await page.getByRole('link', { name: 'Abrir a regra Carrinho abandonado' }).click()
      const drawer = page.getByRole('dialog', { name: 'Carrinho abandonado' })
      await drawer.getByText('O que mudou desde a v2').click()
      await drawer.locator('ins', { hasText: 'within: PT45M' }).waitFor()
      await drawer.getByText('Menos mensagens por semana').first().waitFor()

      await drawer.getByRole('button', { name: 'Nova versão' }).click()
      const adding = page.getByRole('dialog', { name: 'Acrescentar em YAML' })
      const yaml = await adding.getByLabel('Regra em YAML').inputValue()
      expect(yaml).toContain('version: 4')
      await adding.getByLabel('Regra em YAML').fill(yaml.replace('unless:\n', 'unles:\n'))
      await adding.getByRole('button', { name: 'Conferir' }).click()
      await adding
        .getByText(/^Linha \d+, coluna \d+$/)
        .first()
        .waitFor()
      await expectAccessible(page)
      await picture(page, 'rule-mistake')
      await adding.getByLabel('Regra em YAML').fill(yaml)
      await adding.getByLabel('Por quê').fill('Esperar menos')
      await adding.getByRole('button', { name: 'Acrescentar' }).click()
      await adding.getByText('Acrescentada: carrinho v4, rascunho.').waitFor()
      await adding.locator('.dialog-acts').getByRole('button', { name: 'Fechar' }).click()

      await drawer.getByRole('button', { name: 'Publicar' }).click()
      const publishing = page.getByRole('dialog', { name: 'Publicar Carrinho abandonado' })
      await publishing.getByLabel('Para quem').selectOption('0.01')
      await publishing.getByLabel('Por quê').fill('Começar com pouca gente')
      await expectAccessible(page)
      await picture(page, 'rule-publish')
      await publishing.getByRole('button', { name: 'Publicar' }).click()
      await drawer.getByText('v4: 1% das pessoas').first().waitFor()
      await page.keyboard.press('Escape')

      await page.getByRole('button', { name: 'Parar todas' }).click()
      const stopping = page.getByRole('dialog')
      await stopping.getByLabel('Por quê').fill('Incidente no estoque')
      await stopping.getByRole('button', { name: 'Parar todas' }).click()
      await page.getByText('Todas as regras estão paradas.').waitFor()
      await page.getByRole('button', { name: 'Retomar todas' }).click()
      await page.getByRole('dialog').getByLabel('Por quê').fill('Estoque conferido')
      await page.getByRole('dialog').getByRole('button', { name: 'Retomar todas' }).click()
      await page.getByText('Todas as regras funcionam conforme publicadas.').waitFor()
    })
  })

  test('audiences: what each tool knows and why not, and telling it again', async () => {
    await open('/audiences', {}, async (page) => {
      await page.getByRole('link', { name: 'Abrir o público Carrinhos grandes' }).click()
      const drawer = page.getByRole('dialog', { name: 'Carrinhos grandes' })
      await drawer.getByText('EXHAUSTED', { exact: true }).waitFor()
      await drawer.getByText('p_davi').waitFor()
      await drawer.getByRole('button', { name: 'Sincronizar' }).click()
      await page
        .getByRole('dialog', { name: 'Sincronizar Carrinhos grandes' })
        .getByLabel('Enviar tudo de novo')
        .check()
      await expectAccessible(page)
      await page.getByRole('button', { name: 'Sincronizar agora' }).click()
      await drawer.getByText('Pedido: o hub percorre as pessoas em páginas.').waitFor()
      expect(hub.ran.filter(({ name }) => name === 'audiencesSync').at(-1)!.args).toEqual({
        audience: 'big_carts',
        full: true,
      })
    })
  })

  test('connectors show masked secrets only', async () => {
    await open('/connectors', {}, async (page) => {
      await page.getByText('••••6789').waitFor()
      const text = (await page.locator('body').textContent()) ?? ''
      expect(text).toContain('http://hub.loja.example/in/site')
      expect(text).not.toContain('wk_site_0123456789')
      expect(text).not.toContain('never-to-be-seen')
    })
  })

  test('settings: a token is shown once and can be revoked; an invited person has a narrower cockpit', async () => {
    await open('/settings?tab=tokens', {}, async (page) => {
      await page.getByRole('button', { name: 'Nova chave' }).click()
      await page.getByLabel('Para que serve').fill('Painel da TI')
      await expectAccessible(page)
      await page.getByRole('button', { name: 'Criar chave' }).click()
      const value = await page.getByLabel('Chave (mostrada só agora)').inputValue()
      expect(value).toMatch(/^anu_/)
      await page.keyboard.press('Escape')
      await page.getByRole('cell', { name: 'Painel da TI', exact: true }).waitFor()
      expect(await page.locator('body').innerHTML()).not.toContain(value)
      await page.getByRole('button', { name: 'Revogar Painel da TI' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Revogar' }).click()
      await page.getByText('Nenhuma chave de API').waitFor()

      await page.getByRole('tab', { name: 'Pessoas' }).click()
      await page.getByRole('button', { name: 'Convidar pessoa' }).click()
      await page.getByRole('dialog').getByLabel('Papel').selectOption('viewer')
      await page.getByRole('button', { name: 'Criar link' }).click()
      const link = new URL(await page.getByLabel('Link do convite (mostrado só agora)').inputValue())
      await open(`${hub.url}${link.pathname}${link.hash}`, { anonymous: true, language: 'en' }, async (invited) => {
        await invited.getByLabel('Your name').fill('Davi')
        await invited.getByLabel('Your e-mail').fill('davi@loja.example')
        await invited.getByLabel('Password', { exact: true }).fill(PASSWORD)
        await invited.getByRole('button', { name: 'Create access and log in' }).click()
        await invited.getByText('Your role sees the numbers, not the events.').waitFor()
        expect(await invited.getByRole('navigation').getByRole('link').allTextContents()).toEqual(['Now', 'Settings'])
        await invited.goto(`${hub.url}/deliveries`)
        await invited.getByText('Your role has no access to this area').waitFor()
      })
    })
  })

  test('the language changes everywhere at once and stays', async () => {
    await open('/now', {}, async (page) => {
      await page.getByRole('button', { name: 'Sua conta' }).click()
      await page.getByRole('menuitem', { name: 'English' }).click()
      await page.getByRole('heading', { name: 'The way of the events' }).waitFor()
      expect(await page.locator('html').getAttribute('lang')).toBe('en')
      await page.reload()
      await page.getByRole('heading', { name: 'Now', level: 1 }).waitFor()
      await picture(page, 'now-en')
    })
  })

  test('logging out ends the session', async () => {
    await open('/login', { anonymous: true }, async (page) => {
      await page.getByLabel('E-mail').fill(EMAIL)
      await page.getByLabel('Senha', { exact: true }).fill(PASSWORD)
      await page.getByRole('button', { name: 'Entrar' }).click()
      await page.getByRole('button', { name: 'Sua conta' }).click()
      await page.getByRole('menuitem', { name: 'Sair' }).click()
      await page.getByRole('heading', { name: 'Entrar' }).waitFor()
      await page.goto(`${hub.url}/now`)
      await page.getByRole('heading', { name: 'Entrar' }).waitFor()
    })
  })
})

describe('what the encarregado does', () => {
  test('a letter becomes a request with the clock of the law, and its refusal says the ground', async () => {
    await open('/privacy/requests', {}, async (page) => {
      await page.getByRole('button', { name: 'Registrar pedido' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Direito').selectOption('erasure')
      await dialog
        .getByLabel('Dia em que chegou')
        .fill(new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10))
      await dialog.getByLabel('Valor').fill('maria@example.com')
      await dialog.getByLabel('Nome', { exact: true }).fill('Maria Silva')
      await expectAccessible(page)
      await dialog.getByRole('button', { name: 'Registrar', exact: true }).click()
      const drawer = page.getByRole('dialog', { name: 'Pedido' })
      await drawer.getByText('Eliminar meus dados').waitFor()
      await drawer.getByText('Maria Silva').waitFor()
      await picture(page, 'request')
      await expectAccessible(page)
      await drawer.getByRole('button', { name: 'Recusar' }).click()
      await drawer.getByLabel('Razões, como a pessoa as lerá').fill('O documento enviado não confere com o cadastro.')
      await drawer.getByRole('button', { name: 'Recusar' }).last().click()
      await drawer.getByText('Recusado', { exact: true }).waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('table', { name: 'Encerrados' }).getByText('Recusado').waitFor()
    })
  })

  test('a person is found with a reason, seen as of a date, and revealed with another', async () => {
    await open('/privacy/person', {}, async (page) => {
      await page.getByLabel('Valor exato').fill('ana@example.com')
      await page.getByLabel('Por que você procura').fill('carta de 20/11, pede acesso')
      await page.getByRole('button', { name: 'Procurar' }).click()
      await page.getByRole('table', { name: 'Finalidades' }).getByText('email_marketing').waitFor()
      await page.getByRole('table', { name: 'Linha do tempo' }).getByText('Entrega').first().waitFor()
      expect(await page.locator('main').textContent()).not.toContain('ana@example.com')
      await expectGoodInEveryLook(page, 'person')
      await page.getByLabel('Dia', { exact: true }).fill('2026-01-01')
      await page.getByText('Nenhuma resposta até esta data').waitFor()
      await page.getByRole('button', { name: 'Hoje' }).click()
      await page.getByRole('button', { name: 'Ver dados de contato' }).click()
      await page.getByRole('dialog').getByLabel('Por que você procura').fill('conferir o e-mail da carta')
      await page.getByRole('dialog').getByRole('button', { name: 'Ver dados de contato' }).click()
      await page.getByRole('region', { name: 'De quem se trata' }).getByText('ana@example.com').waitFor()
      await page.getByRole('cell', { name: 'Valor ana@example.com' }).waitFor()
      expect(hub.ran.filter(({ name }) => name === 'findPerson' || name === 'reveal').map(({ name }) => name)).toEqual([
        'findPerson',
        'reveal',
      ])
    })
  })

  test('an incident has its clocks and both letters; what was done is written down', async () => {
    await open('/privacy/incidents', {}, async (page) => {
      await page.getByRole('button', { name: 'Registrar incidente' }).click()
      await page.getByLabel('O que aconteceu, em uma linha').fill('Planilha enviada a outra empresa')
      await page.getByLabel('Descrição').fill('Um anexo com e-mails seguiu para o destinatário errado.')
      await page.getByLabel('Quando se soube').fill(new Date(Date.now() - 3_600_000).toISOString().slice(0, 16))
      await page.getByRole('button', { name: 'Registrar', exact: true }).click()
      await page.getByRole('heading', { name: 'Planilha enviada a outra empresa' }).waitFor()
      await page.getByText('Comunicar à ANPD').waitFor()
      await expectAccessible(page)
      await picture(page, 'incident')
      const letter = page.waitForEvent('download')
      await page.getByRole('button', { name: 'Rascunhar comunicações' }).click()
      await letter
      await page.getByRole('button', { name: 'ANPD comunicada' }).click()
      await page
        .getByText(/^feito em/)
        .first()
        .waitFor()
    })
  })

  test('retention is counted before it is approved, and a legal hold has its order and reason', async () => {
    await open('/privacy/retention', {}, async (page) => {
      await page.getByRole('button', { name: 'Calcular agora' }).click()
      await page.getByRole('button', { name: /^Aprovar \d+ políticas$/ }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Aprovar', exact: true }).click()
      await page.getByText('Aprovado. O hub executa em lotes').waitFor()
      await page.getByRole('table', { name: 'Políticas' }).getByText('Aprovada', { exact: true }).first().waitFor()
      await page.getByRole('button', { name: 'Reter' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Processo ou ordem').fill('0001234-56.2026.8.26.0100')
      await dialog.getByLabel('Motivo').fill('Ordem judicial de preservação.')
      await dialog.getByLabel('De', { exact: true }).fill('2026-01-01')
      await dialog.getByRole('button', { name: 'Reter' }).click()
      await page.getByText('0001234-56.2026.8.26.0100').waitFor()
      await expectAccessible(page)
      await page.getByRole('navigation').getByRole('link', { name: 'Auditoria' }).click()
      await page.getByRole('table').getByText('Ana Souza').first().waitFor()
    })
  })

  test('the record of processing is read and saved; the overview is a click away', async () => {
    await open('/privacy/records', {}, async (page) => {
      await page.getByRole('heading', { name: 'Ofertas por e-mail' }).waitFor()
      await page.getByRole('button', { name: 'Baixar o registro' }).click()
      const saved = page.waitForEvent('download')
      await page.getByRole('menuitem', { name: 'Planilha (CSV)' }).click()
      expect((await saved).suggestedFilename()).toMatch(/\.csv$/)
      await expectGoodInEveryLook(page, 'records')
      await page.goto(`${hub.url}/privacy`)
      await page.getByRole('region', { name: 'Livro de consentimento' }).waitFor()
    })
  })

  test('an auditor begins at the overview and is offered no act', async () => {
    await open(await rig.invite('auditor'), { anonymous: true }, async (page) => {
      await page.getByLabel('Seu nome').fill('Nina')
      await page.getByLabel('Seu e-mail').fill('nina@auditoria.example')
      await page.getByLabel('Senha', { exact: true }).fill(PASSWORD)
      await page.getByRole('button', { name: 'Criar acesso e entrar' }).click()
      await page.getByRole('heading', { name: 'Panorama', level: 1 }).waitFor()
      await page.getByRole('navigation').getByRole('link', { name: 'Regras' }).click()
      await page.getByRole('table', { name: 'Regras' }).waitFor()
      expect(await page.getByRole('button', { name: 'Parar todas' }).count()).toBe(0)
      await page.getByRole('navigation').getByRole('link', { name: 'Retenção' }).click()
      await page.getByRole('table', { name: 'Políticas' }).waitFor()
      expect(await page.getByRole('button', { name: 'Calcular agora' }).count()).toBe(0)
    })
  })
})

describe('delivery of the pages', () => {
  test('the page is never cached, its hashed files are, and other wrong paths stay JSON', async () => {
    const index = await fetch(`${hub.url}/deliveries`, { headers: { accept: 'text/html' } })
    expect(index.headers.get('cache-control')).toBe('no-store')
    const html = await index.text()
    const nonce = /style-src[^;]*'nonce-([^']+)'/.exec(index.headers.get('content-security-policy')!)![1]!
    expect(html).toContain(`nonce="${nonce}"`)
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(html)![1]!
    const asset = await fetch(`${hub.url}${script}`)
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(asset.headers.get('x-content-type-options')).toBe('nosniff')
    expect((await fetch(`${hub.url}/v1/wrong`, { headers: { accept: '*/*' } })).headers.get('content-type')).toContain(
      'application/json',
    )
    expect((await fetch(`${hub.url}/assets/..%2f..%2fpackage.json`)).status).toBe(404)
  })
})
