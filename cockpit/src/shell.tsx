import {
  ActionIcon,
  AppShell,
  Burger,
  Menu,
  Modal,
  NativeSelect,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import {
  IconActivity,
  IconArrowsSplit2,
  IconBook2,
  IconCheck,
  IconDeviceDesktop,
  IconEye,
  IconFileText,
  IconFlask,
  IconHourglassEmpty,
  IconInbox,
  IconLogout,
  IconMailQuestion,
  IconMoon,
  IconPlugConnected,
  IconRoute,
  IconSend,
  IconServer,
  IconSettings,
  IconShieldHalf,
  IconSun,
  IconTargetArrow,
  IconUrgent,
  IconUser,
  IconUserSearch,
  IconUsersGroup,
} from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useRouterState } from '@tanstack/react-router'
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import type { Me, Permission } from '../../schemas/admin.ts'
import { linkTo, type Place, useAddress, useChangeAddress, useGo } from './address.ts'
import { post } from './api.ts'
import { currentLanguage, LANGUAGES, type Language, setLanguage } from './i18n/index.ts'
import type { Dictionary } from './i18n/pt-BR.ts'
import markUrl from './mark.svg'
import { ConnectionBanner } from './parts/account.tsx'
import { DeliveryDrawer } from './parts/delivery-drawer.tsx'
import { EntryDrawer } from './parts/entry-drawer.tsx'
import { Empty, Failure, Loading } from './parts/states.tsx'
import { isRange, RANGES } from './range.ts'
import { meQuery, useMe } from './session.ts'
import { useShortcuts } from './shortcuts.ts'

interface Area {
  readonly to: Place
  readonly name: keyof Dictionary['nav']['area']
  readonly icon: typeof IconActivity
  readonly permission?: Permission
}

/** The rail: what the hub does, what the encarregado answers for, and the rest. */
const GROUPS: readonly { readonly name: 'hub' | 'privacy' | 'rest'; readonly areas: readonly Area[] }[] = [
  {
    name: 'hub',
    areas: [
      { to: '/now', name: 'now', icon: IconActivity, permission: 'overview.read' },
      { to: '/rules', name: 'rules', icon: IconRoute, permission: 'rules.read' },
      { to: '/audiences', name: 'audiences', icon: IconUsersGroup, permission: 'rules.read' },
      { to: '/deliveries', name: 'deliveries', icon: IconSend, permission: 'deliveries.read' },
      { to: '/quarantine', name: 'quarantine', icon: IconInbox, permission: 'quarantine.read' },
      { to: '/connectors', name: 'connectors', icon: IconPlugConnected, permission: 'connectors.read' },
    ],
  },
  {
    name: 'privacy',
    areas: [
      { to: '/privacy', name: 'overview', icon: IconShieldHalf, permission: 'ledger.read' },
      { to: '/privacy/person', name: 'person', icon: IconUserSearch, permission: 'ledger.read' },
      { to: '/privacy/requests', name: 'requests', icon: IconMailQuestion, permission: 'requests.read' },
      { to: '/privacy/ledger', name: 'ledger', icon: IconBook2, permission: 'ledger.read' },
      { to: '/privacy/purposes', name: 'purposes', icon: IconTargetArrow, permission: 'connectors.read' },
      { to: '/privacy/flows', name: 'flows', icon: IconArrowsSplit2, permission: 'connectors.read' },
      { to: '/privacy/retention', name: 'retention', icon: IconHourglassEmpty, permission: 'retention.read' },
      { to: '/privacy/records', name: 'records', icon: IconFileText, permission: 'records.read' },
      { to: '/privacy/incidents', name: 'incidents', icon: IconUrgent, permission: 'incidents.read' },
      { to: '/privacy/audit', name: 'audit', icon: IconEye, permission: 'access.read' },
    ],
  },
  { name: 'rest', areas: [{ to: '/settings', name: 'settings', icon: IconSettings }] },
]

/** Where the period above changes what is shown; elsewhere it would promise something. */
const RANGED: readonly Place[] = ['/now', '/deliveries', '/connectors/source']

/** Sends to the log-in page and back to where one wanted to go. */
export function Shell() {
  const { data: me, error, isPending, refetch } = useQuery(meQuery)
  const go = useGo()
  const href = useRouterState({ select: (state) => state.location.href })
  const path = useRouterState({ select: (state) => state.location.pathname })
  useEffect(() => {
    if (me === null && path !== '/login')
      go('/login', { to: href === '/' || href.startsWith('/login') ? undefined : href }, { replace: true })
  }, [me, go, href, path])
  if (isPending) return <Loading />
  if (error) {
    return (
      <div className="gate">
        <Failure error={error} retry={() => void refetch()} />
      </div>
    )
  }
  return me ? <Frame me={me} /> : null
}

function Frame({ me }: { me: Me }) {
  const { t } = useTranslation()
  const goTo = useGo()
  const [opened, { toggle, close }] = useDisclosure()
  const [keys, keysModal] = useDisclosure()
  const path = useRouterState({ select: (state) => state.location.pathname })
  const groups = GROUPS.map(({ name, areas }) => ({
    name,
    areas: areas.filter(({ permission }) => !permission || me.permissions.includes(permission)),
  })).filter(({ areas }) => areas.length > 0)
  const current = groups
    .flatMap(({ areas }) => areas)
    .find(({ to }) => (to === '/privacy' ? path === to : path.startsWith(to)))
  useEffect(() => {
    document.title = `${current ? `${t(`nav.area.${current.name}`)} · ` : ''}${me.simulated ? `${t('app.environment.simulated')} · ` : ''}Anuente`
  }, [current, me.simulated, t])
  const go = (to: Place) => () => goTo(to)
  useShortcuts({
    'g a': go('/now'),
    'g c': go('/connectors'),
    'g e': go('/deliveries'),
    'g q': go('/quarantine'),
    'g r': go('/rules'),
    'g s': go('/settings'),
    'g p': go('/privacy'),
    'g l': go('/privacy/ledger'),
    '?': keysModal.open,
  })
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 244, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding="md"
    >
      <a className="skip" href="#content">
        {t('app.skip')}
      </a>
      <AppShell.Header>
        <div className="bar">
          <Burger
            opened={opened}
            onClick={toggle}
            hiddenFrom="sm"
            size="sm"
            aria-label={t(opened ? 'app.closeMenu' : 'app.openMenu')}
            aria-expanded={opened}
          />
          <Link className="brand" {...linkTo('/now')}>
            <img src={markUrl} alt="" width={26} height={26} />
            <span className="brand-name">{t('app.name')}</span>
          </Link>
          <Environment simulated={me.simulated} />
          <div className="bar-end">
            {RANGED.some((place) => path.startsWith(place)) && <RangeChoice />}
            <AccountMenu me={me} />
          </div>
        </div>
      </AppShell.Header>
      <AppShell.Navbar p="sm" aria-label={t('nav.label')}>
        <div className="rail-scroll">
          {groups.map(({ name, areas }) => (
            <section key={name} aria-label={t(`nav.group.${name}`)}>
              {name === 'privacy' && <h2 className="rail-title">{t('nav.group.privacy')}</h2>}
              <ul className="rail">
                {areas.map(({ to, name: area, icon: Icon }) => (
                  <li key={to}>
                    <Link
                      className="rail-link"
                      {...linkTo(to)}
                      activeOptions={{ exact: true, includeSearch: false }}
                      onClick={close}
                      {...(current?.to === to ? { 'aria-current': 'page' as const } : {})}
                    >
                      <Icon size={18} stroke={1.7} aria-hidden />
                      {t(`nav.area.${area}`)}
                    </Link>
                  </li>
                ))}
              </ul>
            </section>
          ))}
        </div>
        <div className="rail-foot">
          <div>{me.organization.name}</div>
          <div className="quiet">{t('app.zone', { zone: me.organization.timezone })}</div>
        </div>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <ConnectionBanner />
        <Outlet />
      </AppShell.Main>
      <DeliveryDrawer />
      {me.permissions.includes('ledger.read') && <EntryDrawer />}
      <KeyList opened={keys} onClose={keysModal.close} />
    </AppShell>
  )
}

function Environment({ simulated }: { simulated: boolean }) {
  const { t } = useTranslation()
  const Icon = simulated ? IconFlask : IconServer
  return (
    <span
      className="environment"
      data-simulated={simulated}
      title={simulated ? t('app.environment.simulatedHint') : undefined}
    >
      <Icon size={14} stroke={2.2} aria-hidden />
      {t(simulated ? 'app.environment.simulated' : 'app.environment.production')}
    </span>
  )
}

/** The period lives in the address, so that a link shows what its sender saw. */
function RangeChoice() {
  const { t } = useTranslation()
  const { range = '1h' } = useAddress()
  const change = useChangeAddress()
  return (
    <NativeSelect
      size="xs"
      aria-label={t('range.label')}
      value={range}
      data={Object.keys(RANGES).map((value) => ({ value, label: t(`range.${value}` as 'range.1h') }))}
      onChange={({ currentTarget: { value } }) => {
        if (isRange(value)) change({ range: value })
      }}
    />
  )
}

function AccountMenu({ me }: { me: Me }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const computed = useComputedColorScheme('light')
  const logout = async () => {
    await post('/api/logout').catch(() => undefined)
    queries.clear()
    location.assign('/login')
  }
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label={t('app.account')}>
          <IconUser size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {me.user.name} · {t(`role.${me.role}`)}
        </Menu.Label>
        <Menu.Divider />
        <Menu.Label>{t('language.label')}</Menu.Label>
        {LANGUAGES.map((language: Language) => (
          <Menu.Item
            key={language}
            lang={language}
            onClick={() => setLanguage(language)}
            rightSection={<Chosen on={currentLanguage() === language} />}
          >
            {t(`language.${language}`)}
          </Menu.Item>
        ))}
        <Menu.Label>{t('theme.label')}</Menu.Label>
        {(['light', 'dark', 'auto'] as const).map((scheme) => (
          <Menu.Item
            key={scheme}
            leftSection={
              scheme === 'auto' ? (
                <IconDeviceDesktop size={16} aria-hidden />
              ) : scheme === 'dark' ? (
                <IconMoon size={16} aria-hidden />
              ) : (
                <IconSun size={16} aria-hidden />
              )
            }
            rightSection={<Chosen on={colorScheme === scheme} />}
            onClick={() => setColorScheme(scheme)}
            data-scheme={computed}
          >
            {t(`theme.${scheme}`)}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => void logout()}>
          {t('app.logout')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}

/** The word beside the tick is for those who cannot see it. */
function Chosen({ on }: { on: boolean }) {
  const { t } = useTranslation()
  return on ? (
    <>
      <IconCheck size={16} aria-hidden />
      <span className="visually-hidden">{t('app.chosen')}</span>
    </>
  ) : null
}

function KeyList({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation()
  const rows: readonly [ReactNode, string][] = [
    [<Pair key="a" second="a" />, t('keys.now')],
    [<Pair key="e" second="e" />, t('keys.deliveries')],
    [<Pair key="q" second="q" />, t('keys.quarantine')],
    [<Pair key="r" second="r" />, t('keys.rules')],
    [<Pair key="c" second="c" />, t('keys.connectors')],
    [<Pair key="p" second="p" />, t('keys.overview')],
    [<Pair key="l" second="l" />, t('keys.ledger')],
    [<Pair key="s" second="s" />, t('keys.settings')],
    [<kbd key="space">{t('keys.space')}</kbd>, t('keys.pause')],
    [
      <span key="rows">
        <kbd>j</kbd> <kbd>k</kbd>
      </span>,
      t('keys.rows'),
    ],
    [<kbd key="list">?</kbd>, t('keys.list')],
  ]
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t('keys.title')}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <dl className="facts">
        {rows.map(([key, text]) => (
          <div key={text} style={{ display: 'contents' }}>
            <dt>{key}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p className="quiet">{t('keys.off')}</p>
    </Modal>
  )
}

function Pair({ second }: { second: string }) {
  const { t } = useTranslation()
  return (
    <>
      <kbd>g</kbd> {t('keys.afterwards')} <kbd>{second}</kbd>
    </>
  )
}

/** Shown instead of an area the role may not see. */
export function Guard({ permission, children }: { permission: Permission; children: ReactNode }) {
  const { t } = useTranslation()
  const me = useMe()
  if (me.permissions.includes(permission)) return children
  return (
    <div className="card">
      <Empty title={t('app.forbidden')} text={t('app.forbiddenText', { role: t(`role.${me.role}`) })} />
    </div>
  )
}
