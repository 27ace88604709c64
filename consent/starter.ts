/**
 * The purposes `anuente init` writes for the encarregado to confirm. A starting point, not legal
 * advice: titles, events and fields are meant to be edited.
 */
import type { PurposeConfig } from '../schemas/config.ts'

const CONTACT = { identify: ['email', 'phone', 'name'] }
const COMMERCE = ['Product *', 'Cart *', 'Checkout *', 'Order *']
/** What somebody did to be written to: RD Station's conversions are `Lead Converted`. */
const LEADS = ['Lead *', 'Signed Up']
/** Opened and clicked messages: on which channel and at which hour somebody likes to be written to. */
const MESSAGES = 'Message *'

export const STARTER_PURPOSES: Record<string, PurposeConfig> = {
  orders: {
    basis: 'contract',
    scope: 'person',
    title: { pt: 'Pedidos e entregas', en: 'Orders and deliveries' },
    description: {
      pt: 'Registrar e entregar o que você comprou e avisar sobre o pedido.',
      en: 'To record and deliver what you bought and to tell you about the order.',
    },
    collects: [CONTACT, 'Order *'],
    stages: ['collect', 'decide', 'activate'],
    opens: ['Order Completed'],
    ends: 'P5Y',
  },
  analytics: {
    basis: 'consent',
    scope: 'device',
    title: { pt: 'Estatísticas de uso', en: 'Usage statistics' },
    description: {
      pt: 'Medir como o site e o aplicativo são usados.',
      en: 'To measure how the site and the app are used.',
    },
    collects: ['*'],
    stages: ['collect', 'decide'],
    signals: { google: ['analytics_storage'], segment: ['Analytics'], rudder: ['analytics'] },
  },
  onsite_personalization: {
    basis: 'consent',
    scope: 'device',
    title: { pt: 'Personalização do site', en: 'Personalisation of the site' },
    description: {
      pt: 'Mostrar produtos e conteúdos de acordo com o que você viu e comprou.',
      en: 'To show products and content in line with what you viewed and bought.',
    },
    collects: ['page', 'screen', 'Products Searched', 'Promotion *', ...COMMERCE],
    stages: ['collect', 'decide', 'activate'],
    signals: { google: ['personalization_storage'], segment: ['Functional'], rudder: ['functional'] },
  },
  email_marketing: {
    basis: 'consent',
    scope: 'person',
    title: { pt: 'Ofertas por e-mail', en: 'Offers by e-mail' },
    description: {
      pt: 'Enviar ofertas e lembretes por e-mail, de acordo com o que você viu, comprou e abriu.',
      en: 'To send offers and reminders by e-mail, in line with what you viewed, bought and opened.',
    },
    collects: [CONTACT, ...LEADS, ...COMMERCE, MESSAGES],
    stages: ['collect', 'decide', 'activate'],
    signals: { rd: 'communications', segment: [], rudder: [] },
  },
  sms_marketing: {
    basis: 'consent',
    scope: 'person',
    title: { pt: 'Ofertas por SMS', en: 'Offers by SMS' },
    description: {
      pt: 'Enviar ofertas e lembretes por SMS, de acordo com o que você viu, comprou e abriu.',
      en: 'To send offers and reminders by SMS, in line with what you viewed, bought and opened.',
    },
    collects: [{ identify: ['phone', 'name'] }, ...LEADS, ...COMMERCE, MESSAGES],
    stages: ['collect', 'decide', 'activate'],
  },
  whatsapp_marketing: {
    basis: 'consent',
    scope: 'person',
    title: { pt: 'Ofertas por WhatsApp', en: 'Offers by WhatsApp' },
    description: {
      pt: 'Enviar ofertas e lembretes por WhatsApp, de acordo com o que você viu, comprou e abriu.',
      en: 'To send offers and reminders by WhatsApp, in line with what you viewed, bought and opened.',
    },
    collects: [{ identify: ['phone', 'name'] }, ...LEADS, ...COMMERCE, MESSAGES],
    stages: ['collect', 'decide', 'activate'],
  },
  push_marketing: {
    basis: 'consent',
    scope: 'person',
    title: { pt: 'Notificações no celular e no navegador', en: 'Push notifications' },
    description: {
      pt: 'Enviar ofertas e lembretes por notificação, de acordo com o que você viu, comprou e abriu.',
      en: 'To send offers and reminders as push notifications, in line with what you viewed, bought and opened.',
    },
    collects: [...COMMERCE, MESSAGES],
    stages: ['collect', 'decide', 'activate'],
  },
  ads_measurement: {
    basis: 'consent',
    scope: 'device',
    title: { pt: 'Medição de anúncios', en: 'Measurement of ads' },
    description: {
      pt: 'Saber quais anúncios levaram a uma compra.',
      en: 'To learn which ads led to a purchase.',
    },
    collects: [{ identify: ['email', 'phone'] }, 'page', 'screen', 'Products Searched', ...COMMERCE],
    stages: ['collect', 'decide', 'activate'],
    signals: { google: ['ad_storage', 'ad_user_data'], segment: ['Advertising'], rudder: ['advertising'] },
  },
  ads_personalization: {
    basis: 'consent',
    scope: 'device',
    title: { pt: 'Anúncios personalizados', en: 'Personalised ads' },
    description: {
      pt: 'Mostrar anúncios de acordo com o que você viu e comprou.',
      en: 'To show ads in line with what you viewed and bought.',
    },
    collects: [{ identify: ['email', 'phone'] }, ...COMMERCE],
    stages: ['collect', 'decide', 'activate'],
    signals: { google: ['ad_personalization'], segment: ['Advertising'], rudder: ['advertising'] },
  },
  customer_care: {
    basis: 'contract',
    scope: 'person',
    title: { pt: 'Atendimento', en: 'Customer care' },
    description: {
      pt: 'Responder aos seus chamados e acompanhar a sua satisfação com o atendimento.',
      en: 'To answer your tickets and follow how satisfied you are with the answers.',
    },
    collects: [CONTACT, 'Ticket *', 'Survey Answered', 'Order *'],
    stages: ['collect', 'decide', 'activate'],
    opens: ['Ticket Opened', 'Order Completed', 'Subscription Started'],
    ends: 'P1Y',
  },
}
