// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DCB for the ports of the lab's emulated card, which have none, and a global
 * pause that is set and not negotiated. The values are kept and shown as those of
 * a port with DCB are, and forgotten when its network device goes; no packet is
 * treated by them. What is refused is what mlx5 refuses.
 */

#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/dcbnl.h>

#define FRESH_DCBX (DCB_CAP_DCBX_VER_CEE | DCB_CAP_DCBX_VER_IEEE)

struct port {
	struct list_head list;
	struct net_device *dev;
	struct ieee_ets ets;
	struct ieee_pfc pfc;
	u8 dcbx;
	struct ethtool_pauseparam pause;
	const struct ethtool_ops *of_driver;
	struct ethtool_ops ethtool;
};

/* Notifiers and operations both run with the RTNL held. */
static LIST_HEAD(ports);

static struct port *port_of(const struct net_device *dev)
{
	struct port *port;

	list_for_each_entry(port, &ports, list)
		if (port->dev == dev)
			return port;
	return NULL;
}

static int get_ets(struct net_device *dev, struct ieee_ets *ets)
{
	*ets = port_of(dev)->ets;
	return 0;
}

static int set_ets(struct net_device *dev, struct ieee_ets *ets)
{
	struct port *port = port_of(dev);
	int tc, sum = 0, shared = 0;

	for (tc = 0; tc < IEEE_8021QAZ_MAX_TCS; tc++) {
		if (ets->prio_tc[tc] >= IEEE_8021QAZ_MAX_TCS)
			return -EINVAL;
		if (ets->tc_tsa[tc] == IEEE_8021QAZ_TSA_ETS)
			shared++;
		else if (ets->tc_tx_bw[tc])
			return -EINVAL;
		sum += ets->tc_tx_bw[tc];
	}
	if (shared && sum != 100)
		return -EINVAL;
	memcpy(port->ets.tc_tx_bw, ets->tc_tx_bw, sizeof(ets->tc_tx_bw));
	memcpy(port->ets.tc_tsa, ets->tc_tsa, sizeof(ets->tc_tsa));
	memcpy(port->ets.prio_tc, ets->prio_tc, sizeof(ets->prio_tc));
	return 0;
}

static int get_pfc(struct net_device *dev, struct ieee_pfc *pfc)
{
	*pfc = port_of(dev)->pfc;
	return 0;
}

static int set_pfc(struct net_device *dev, struct ieee_pfc *pfc)
{
	port_of(dev)->pfc.pfc_en = pfc->pfc_en;
	return 0;
}

static u8 get_dcbx(struct net_device *dev)
{
	return port_of(dev)->dcbx;
}

static u8 set_dcbx(struct net_device *dev, u8 mode)
{
	if ((mode & DCB_CAP_DCBX_LLD_MANAGED) || !(mode & DCB_CAP_DCBX_HOST))
		return 1;
	port_of(dev)->dcbx = mode;
	return 0;
}

/* Priorities of DSCPs are kept by the kernel where a driver has no function for them. */
static const struct dcbnl_rtnl_ops operations = {
	.ieee_getets = get_ets,
	.ieee_setets = set_ets,
	.ieee_getpfc = get_pfc,
	.ieee_setpfc = set_pfc,
	.getdcbx = get_dcbx,
	.setdcbx = set_dcbx,
};

static void get_pause(struct net_device *dev, struct ethtool_pauseparam *pause)
{
	struct port *port = port_of(dev);

	pause->rx_pause = port->pause.rx_pause;
	pause->tx_pause = port->pause.tx_pause;
}

static int set_pause(struct net_device *dev, struct ethtool_pauseparam *pause)
{
	if (pause->autoneg)
		return -EINVAL;
	port_of(dev)->pause = *pause;
	return 0;
}

static bool is_port(const struct net_device *dev)
{
	const struct device *card = dev->dev.parent;

	return card && card->driver && !strcmp(card->driver->name, "igb");
}

static int lab_dcb_event(struct notifier_block *block, unsigned long event, void *pointer)
{
	struct net_device *dev = netdev_notifier_info_to_dev(pointer);
	struct port *port;

	if (event == NETDEV_REGISTER && is_port(dev) && !dev->dcbnl_ops) {
		port = kzalloc(sizeof(*port), GFP_KERNEL);
		if (!port)
			return notifier_from_errno(-ENOMEM);
		port->dev = dev;
		port->dcbx = FRESH_DCBX;
		port->pfc.pfc_cap = IEEE_8021QAZ_MAX_TCS;
		port->ets.ets_cap = IEEE_8021QAZ_MAX_TCS;
		memset(port->ets.tc_tsa, IEEE_8021QAZ_TSA_VENDOR, sizeof(port->ets.tc_tsa));
		port->pause.rx_pause = 1;
		port->pause.tx_pause = 1;
		port->of_driver = dev->ethtool_ops;
		port->ethtool = *dev->ethtool_ops;
		port->ethtool.get_pauseparam = get_pause;
		port->ethtool.set_pauseparam = set_pause;
		list_add(&port->list, &ports);
		dev->ethtool_ops = &port->ethtool;
		dev->dcbnl_ops = &operations;
	} else if (event == NETDEV_UNREGISTER && dev->dcbnl_ops == &operations) {
		port = port_of(dev);
		dev->dcbnl_ops = NULL;
		dev->ethtool_ops = port->of_driver;
		list_del(&port->list);
		kfree(port);
	}
	return NOTIFY_DONE;
}

static struct notifier_block lab_dcb_block = { .notifier_call = lab_dcb_event };

static int __init lab_dcb_init(void)
{
	return register_netdevice_notifier(&lab_dcb_block);
}

/* Each port is said to go, so that none is left with operations that are no more. */
static void __exit lab_dcb_exit(void)
{
	unregister_netdevice_notifier(&lab_dcb_block);
}

module_init(lab_dcb_init);
module_exit(lab_dcb_exit);

MODULE_DESCRIPTION("DCB for the ports of the lab's emulated card");
MODULE_LICENSE("GPL");
