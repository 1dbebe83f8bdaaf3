//! Fair shares and ceilings between tenants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use flumen_connect::interceptor::{AsyncInterceptor as _, Drops};
use flumen_plugin::account::TenantStatus;
use flumen_plugin::intercept::InterceptorPlugin;
use flumen_plugin::spec::PluginSpec;
use flumen_plugin::{Host, HostOptions};

use super::guest::{self, batch, spec};

fn host(text: &str, fair_threads: usize) -> Arc<Host> {
    let tenants = Some(guest::tenants(text));
    Host::new(HostOptions { tenants, fair_threads, ..guest::options() }).expect("it starts")
}
fn plugin_of(host: &Arc<Host>, agent: &str, what: &str) -> Arc<InterceptorPlugin> {
    let mut spec = PluginSpec { agent: agent.to_owned(), ..spec(what) };
    spec.limits.batch_time_max = Duration::from_secs(60);
    Arc::new(InterceptorPlugin::new(host, spec))
}
fn status(host: &Host, name: &str) -> TenantStatus {
    host.tenants().into_iter().find(|tenant| tenant.name == name).expect("it has a plugin")
}

/// Two calls of each tenant compute all the time, on one thread of the pool.
#[tokio::test]
async fn cpu_is_shared_by_weight() {
    let host = host(
        "[tenant.heavy]\nagents = [\"h\"]\ncpu_weight = 300\n[tenant.light]\nagents = [\"l\"]\ncpu_weight = 100\n",
        1,
    );
    let (heavy, light) = (plugin_of(&host, "h", "spin-ms"), plugin_of(&host, "l", "spin-ms"));
    heavy.load().await.expect("it loads");
    light.load().await.expect("it loads");
    // Two instances of each, so that only calls are measured.
    let warm = |plugin: Arc<InterceptorPlugin>| async move {
        let (mut one, mut two) = (Drops::default(), Drops::default());
        let both = tokio::join!(
            plugin.intercept(batch(&["20"]), &mut one),
            plugin.intercept(batch(&["20"]), &mut two)
        );
        assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    };
    tokio::join!(warm(heavy.clone()), warm(light.clone()));
    let before = (status(&host, "heavy").cpu_ns, status(&host, "light").cpu_ns);
    let used = || (status(&host, "heavy").cpu_ns - before.0, status(&host, "light").cpu_ns - before.1);
    let spin = |plugin: Arc<InterceptorPlugin>| async move {
        let _cut_off = plugin.intercept(batch(&["60000"]), &mut Drops::default()).await;
    };
    let measured = guest::eventually("300 ms of CPU time are used", || used().0 + used().1 > 300_000_000);
    tokio::select! {
        () = measured => {}
        _ = async { tokio::join!(spin(heavy.clone()), spin(heavy.clone()), spin(light.clone()), spin(light.clone())) } => {
            panic!("they spin for longer");
        }
    }
    let (heavy_ns, light_ns) = used();
    let ratio = heavy_ns as f64 / light_ns as f64;
    println!("heavy {} ms, light {} ms, ratio {ratio:.2}", heavy_ns / 1_000_000, light_ns / 1_000_000);
    assert!(
        (2.0..4.5).contains(&ratio),
        "heavy {heavy_ns} ns, light {light_ns} ns: {ratio:.2}, 3 was expected"
    );
}

#[tokio::test]
async fn a_tenant_stays_below_its_cpu_ceiling() {
    let host = host("[tenant.small]\nagents = [\"s\"]\ncpu_share_max = 0.1\n", 2);
    let plugin = plugin_of(&host, "s", "spin-ms");
    plugin.load().await.expect("it loads");
    let (started, before) = (Instant::now(), status(&host, "small"));
    let mut drops = Drops::default();
    let delayed = guest::eventually("it is delayed", || status(&host, "small").delayed_ns > 500_000_000);
    tokio::select! {
        () = delayed => {}
        _ = plugin.intercept(batch(&["60000"]), &mut drops) => panic!("it spins for longer"),
    }
    let used_ns = status(&host, "small").cpu_ns - before.cpu_ns;
    let elapsed_ns = u64::try_from(started.elapsed().as_nanos()).expect("it is short");
    println!("{} of {} ms", used_ns / 1_000_000, elapsed_ns / 1_000_000);
    // A tenth of 100 ms may be saved up, and a slice is what it is.
    assert!(used_ns < elapsed_ns / 10 + 40_000_000, "{used_ns} ns of {elapsed_ns}, a tenth is allowed");
}

#[tokio::test]
async fn the_memory_of_all_plugins_of_a_tenant_has_a_ceiling() {
    let text = "[tenant.t]\nagents = [\"a1\"]\nplugin_memory_bytes_max = 3_000_000\n";
    let host = host(text, 1);
    let mut plugins = Vec::new();
    let error = loop {
        let plugin = plugin_of(&host, "a1", "pass");
        match plugin.load().await {
            Ok(()) => plugins.push(plugin),
            Err(error) => break error.to_string(),
        }
        assert!(plugins.len() < 10, "{:?}", host.tenants());
    };
    assert!(
        !plugins.is_empty() && error.contains("tenant t") && error.contains("3000000 are allowed"),
        "{error}"
    );
    assert!(status(&host, "t").memory_bytes <= 3_000_000);
    plugins.clear();
    guest::eventually("dropped plugins give their memory back", || status(&host, "t").memory_bytes == 0)
        .await;
}

/// One tenant's plugins loop in all threads; another tenant's calls must go on as if it were alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looping_plugins_of_one_tenant_do_not_stop_anothers_calls() {
    let host = host("[tenant.bad]\nagents = [\"b\"]\n[tenant.good]\nagents = [\"g\"]\n", 2);
    let (bad, good) = (plugin_of(&host, "b", "spin-ms"), plugin_of(&host, "g", "mask"));
    bad.load().await.expect("it loads");
    good.load().await.expect("it loads");
    let stop = Arc::new(AtomicBool::new(false));
    let spun = Arc::new(AtomicU64::new(0));
    for _ in 0..4 {
        let (bad, stop, spun) = (bad.clone(), stop.clone(), spun.clone());
        tokio::spawn(async move {
            while !stop.load(Relaxed) {
                let _ended_or_not = bad.intercept(batch(&["200"]), &mut Drops::default()).await;
                spun.fetch_add(1, Relaxed);
            }
        });
    }
    let mut took = Vec::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1500) {
        let call = Instant::now();
        good.intercept(batch(&["a 1", "b 2"]), &mut Drops::default()).await.expect("it masks");
        took.push(call.elapsed());
        tokio::task::yield_now().await;
    }
    stop.store(true, Relaxed);
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    println!(
        "{} calls, median {:?}, p99 {p99:?}; the others ended {} calls",
        took.len(),
        took[took.len() / 2],
        spun.load(Relaxed)
    );
    let median = took[took.len() / 2];
    assert!(took.len() > 200 && median < Duration::from_millis(2), "{} calls, median {median:?}", took.len());
}
