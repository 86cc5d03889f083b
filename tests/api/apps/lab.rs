//! A lab with the three apps.

use std::net::{Ipv4Addr, SocketAddr};

use lanyard::apps::{self, Kind};
use tokio::net::TcpListener;

use crate::lab::world::{Clinic, PASSWORD, Person};
use crate::lab::{Answer, Browser, Lab};

/// A lab, its apps, one clinic, and someone who may use all three.
#[derive(Debug)]
pub(crate) struct AppsLab {
    pub(crate) lab: Lab,
    pub(crate) clinic: Clinic,
    pub(crate) ruth: Person,
    ports: [u16; 3],
}

impl AppsLab {
    pub(crate) async fn new() -> Self {
        let mut listeners = Vec::new();
        for _ in Kind::ALL {
            listeners.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        }
        let port = |at: usize| listeners[at].local_addr().unwrap().port();
        let ports = [port(0), port(1), port(2)];
        let url = |port: u16| format!("http://localhost:{port}").parse().unwrap();
        let lab = Lab::apart(|config| {
            config.apps.patient.url = url(ports[0]);
            config.apps.clinician.url = url(ports[1]);
            config.apps.console.url = url(ports[2]);
        })
        .await;
        let platform = lab.platform().await;
        assert_eq!(platform, lanyard::ids::TenantId::PLATFORM);
        let clinic = lab.clinic("Juniper Clinic").await;
        let ruth = lab.person("Ruth Okafor").await;
        lab.join(&ruth, clinic.id, &["patient", "clinician", "clinic_admin"])
            .await;
        let this = Self {
            lab,
            clinic,
            ruth,
            ports,
        };
        this.serve(listeners, &[&this.clinic.slug]).await;
        this
    }

    async fn serve(&self, listeners: Vec<TcpListener>, slugs: &[&str]) {
        for kind in Kind::ALL {
            apps::registration::register(&self.lab.app, kind, slugs)
                .await
                .unwrap();
        }
        let routers = apps::routers(&self.lab.app).await.unwrap();
        for (listener, (_, router)) in listeners.into_iter().zip(routers) {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async move { axum::serve(listener, service).await });
        }
    }

    /// Another clinic that the apps are registered for too.
    pub(crate) async fn another_clinic(&self, name: &str) -> Clinic {
        let other = self.lab.clinic(name).await;
        for kind in Kind::ALL {
            let slugs = [self.clinic.slug.as_str(), &other.slug];
            apps::registration::register(&self.lab.app, kind, &slugs)
                .await
                .unwrap();
        }
        other
    }

    /// An app's address at the lab's clinic.
    pub(crate) fn at(&self, kind: Kind, path: &str) -> String {
        self.at_clinic(kind, &self.clinic, path)
    }

    /// An app's address at a clinic.
    pub(crate) fn at_clinic(&self, kind: Kind, clinic: &Clinic, path: &str) -> String {
        format!("http://{}.localhost:{}{path}", clinic.slug, self.port(kind))
    }

    /// An app's address without a clinic.
    pub(crate) fn at_bare(&self, kind: Kind, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port(kind))
    }

    pub(crate) fn port(&self, kind: Kind) -> u16 {
        let place = Kind::ALL.iter().position(|&k| k == kind).unwrap();
        self.ports[place]
    }

    /// A browser in which Ruth has signed in to the patient portal at her clinic.
    pub(crate) async fn ruths_browser(&self) -> Browser {
        let browser = self.lab.browser();
        let home = self.sign_in(&browser, &self.ruth).await;
        home.page("Your visits");
        browser
    }

    /// Signs someone in to the patient portal at the lab's clinic.
    pub(crate) async fn sign_in(&self, browser: &Browser, who: &Person) -> Answer {
        let asked = browser
            .everywhere(&self.at(Kind::Patient, "/sign-in"))
            .await;
        let sent = browser.sign_in_at(asked, &who.login, PASSWORD).await;
        browser.onward(sent).await
    }
}

/// Going on across origins.
pub(crate) trait Everywhere {
    /// Goes to an address and follows redirects wherever they lead.
    async fn everywhere(&self, to: &str) -> Answer;
    /// Follows redirects wherever they lead.
    async fn onward(&self, answer: Answer) -> Answer;
}

impl Everywhere for Browser {
    async fn everywhere(&self, to: &str) -> Answer {
        let answer = self.get(to).await;
        self.onward(answer).await
    }

    async fn onward(&self, mut answer: Answer) -> Answer {
        for _ in 0..12 {
            let Some(to) = answer.location() else {
                return answer;
            };
            answer = self.get(to.as_str()).await;
        }
        panic!("more than twelve redirects, the last to {}", answer.url)
    }
}
