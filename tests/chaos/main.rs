//! Nothing lost (design §11): real servers on one database behind a proxy, people who follow the
//! protocol, and something that is killed meanwhile. What is judged afterwards is their own log
//! against the tables; that the judge can tell is tested as well.

#![cfg(test)]

mod browser;
mod checker;
mod deployment;
mod doctored;
mod failover;
mod faults;
mod journal;
mod kills;
mod outages;
mod person;
mod postgres;
mod proxy;
mod scene;
mod seed;
mod tables;
